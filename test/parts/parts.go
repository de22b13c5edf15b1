// Package parts says what a test needs from outside the Go modules.
package parts

import (
	"os"
	"os/exec"
	"testing"
)

// Need returns the path of a program from one of Debian's packages. Without it the test cannot say anything: in CI that is a failure,
// elsewhere the test is skipped with the package's name.
func Need(tb testing.TB, program, debian string) string {
	tb.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" {
		tb.Fatalf("%s is missing: apt-get install %s", program, debian)
	}
	tb.Skipf("%s is missing: apt-get install %s", program, debian)
	return ""
}
