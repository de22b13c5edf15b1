package gcp

import "strings"

// Description is the mark of ownership where there are no labels: the description of what stack has made.
func Description(stack string) string {
	return LabelManagedBy + "=" + ManagedBy + " " + LabelStack + "=" + stack
}

// DescribedOwner is the stack that a description names as its owner; "" if it names none.
func DescribedOwner(description string) string {
	for _, word := range strings.Fields(description) {
		if stack, ok := strings.CutPrefix(word, LabelStack+"="); ok {
			return stack
		}
	}
	return ""
}
