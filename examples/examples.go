// Package examples holds the stack files that people start from, so that the demo and the tests use the very same ones.
package examples

import _ "embed"

// Stack is stack.yaml.
//
//go:embed stack.yaml
var Stack []byte
