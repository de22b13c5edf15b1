// Package gcp is what the kinds that live in Google Cloud share: how its services are reached and how their errors are
// understood, the ownership mark in labels, and how the stack file writes a length of time. It knows no kind.
package gcp
