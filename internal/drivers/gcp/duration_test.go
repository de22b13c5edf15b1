package gcp_test

import (
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

func TestDuration(t *testing.T) {
	tests := []struct {
		text, again string // how it is written back
		want        time.Duration
	}{
		{"30d", "30d", 30 * 24 * time.Hour},
		{"1d12h", "36h", 36 * time.Hour},
		{"24h", "1d", 24 * time.Hour},
		{"4h", "4h", 4 * time.Hour},
		{"90m", "1h30m", 90 * time.Minute},
		{"1h0m30s", "1h0m30s", time.Hour + 30*time.Second},
		{"10m", "10m", 10 * time.Minute},
		{"0s", "0s", 0},
		{"0d", "0s", 0},
	}
	for _, tt := range tests {
		var d gcp.Duration
		if err := d.UnmarshalText([]byte(tt.text)); err != nil || time.Duration(d) != tt.want || d.String() != tt.again {
			t.Errorf("%s: want %v as %s, have %v as %s: %v", tt.text, tt.want, tt.again, time.Duration(d), d, err)
		}
	}
	for _, bad := range []string{"", "30", "d", "-1d", "-1h", "1w", "30 d", "1d-1h", "1.5d", "100ms", "99999999999d", "1d1d"} {
		var d gcp.Duration
		if err := d.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is read as %v", bad, d)
		}
	}
}
