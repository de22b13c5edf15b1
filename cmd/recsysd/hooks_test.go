package main

import (
	"net/http"
	"testing"
)

// Refusals that anybody can cause must not use up what the log has room for of the daemon's own faults.
func TestComplaintsByCode(t *testing.T) {
	var c complaints
	told := map[int]int{}
	complain := func(code int) { c.limit(code).Do(func() { told[code]++ }) }
	for range 50 {
		complain(http.StatusUnauthorized)
	}
	complain(http.StatusServiceUnavailable)
	if told[http.StatusUnauthorized] != 3 || told[http.StatusServiceUnavailable] != 1 {
		t.Errorf("told %v: want 3 of the flood of 401, and the 503 after it", told)
	}
}
