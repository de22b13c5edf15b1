package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each case is a run held against testdata/stored.txt by benchstat itself.
func TestGuard(t *testing.T) {
	for _, c := range []struct {
		now  string
		bad  int
		says string
		why  string
	}{
		{"again.txt", 0, "the same, as far as noise", "the same program on another, slower and noisier machine with more processors is no loss"},
		{"loud.txt", 0, "the same, as far as noise", "medians that are far apart by chance are no loss"},
		{"little.txt", 0, "worse by 10 %", "a loss below the bound is told, and passes"},
		{"loss.txt", 1, "Worse by 50 %, more than 25 %", "a loss of half fails"},
		{"gain.txt", 0, "better by 34 %", "an improvement passes"},
		{"missing.txt", 1, "Missing: it was stored", "a benchmark that is gone would guard nothing any more"},
		{"nopackage.txt", 1, "Missing: it was stored", "so would one whose whole package is gone"},
		{"more.txt", 0, "new: not in the stored run", "a benchmark that nobody has stored yet is told, and passes"},
		{"figures.txt", 0, "the same, as far as noise", "figures that are no ratio may change with the machine"},
	} {
		t.Run(strings.TrimSuffix(c.now, ".txt"), func(t *testing.T) {
			rows, err := compare(t.Context(), filepath.Join("testdata", "stored.txt"), filepath.Join("testdata", c.now))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if bad := report(&out, rows, 25); bad != c.bad {
				t.Errorf("%s: %d bad, want %d:\n%s", c.why, bad, c.bad, &out)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("%s: it does not say %q:\n%s", c.why, c.says, &out)
			}
			for _, r := range rows {
				if !strings.HasSuffix(r.unit, "-x-floor") {
					t.Errorf("%s of %s is no ratio to a floor", r.unit, r.name)
				}
			}
		})
	}
}

func TestNothingToCompareIsAnError(t *testing.T) {
	empty := filepath.Join("testdata", "empty.txt")
	if rows, err := compare(t.Context(), empty, empty); err == nil {
		t.Errorf("two runs without any ratio were compared: %v", rows)
	}
}

// What is stored must be enough to tell a loss from noise: against the four samples of a run, benchstat never does with fewer than six.
func TestTheStoredRunIsEnough(t *testing.T) {
	text, err := os.ReadFile("baseline.txt")
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "Benchmark") && strings.Contains(line, "-x-floor") {
			samples[f[0]]++
		}
	}
	if len(samples) == 0 {
		t.Error("nothing is stored")
	}
	for name, n := range samples {
		if n < 6 {
			t.Errorf("%s: %d samples", name, n)
		}
	}
}
