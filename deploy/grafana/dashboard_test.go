package grafana_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"recsysd.dev/recsysd/deploy/grafana"
)

var update = flag.Bool("update", false, "write recsysd.json anew")

// What people import is what panels.go says.
func TestTheDashboardIsUpToDate(t *testing.T) {
	want, err := grafana.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("recsysd.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("recsysd.json"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("recsysd.json is not what panels.go makes (go test ./deploy/grafana -update): %v", err)
	}
}
