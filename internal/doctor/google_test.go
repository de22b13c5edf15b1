package doctor_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/doctor"
	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// With nobody to ask as, or nowhere to ask, the remedy is one: not a command for every right that could not be asked for.
func TestWhatKeepsEverythingFromBeingAsked(t *testing.T) {
	for name, c := range map[string]struct {
		reason       string
		config       func(*gcp.Config)
		failed       []string
		detail, mend string
	}{
		"credentials": {
			"without credentials only they are at fault", func(c *gcp.Config) { c.AccessTokenFile, c.Insecure, c.Endpoints = "", false, nil }, []string{"credentials"}, "", "gcloud auth",
		},
		"network": {
			"a machine that reaches nothing is told what it does not reach", func(*gcp.Config) {},
			[]string{"project", "rights to change", "rights to look", "services"}, "refused", "curl -sSI http://127.0.0.1:",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
			t.Setenv("HOME", t.TempDir())
			t.Setenv("GCE_METADATA_HOST", "")
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			away := "http://" + l.Addr().String()
			l.Close()
			conf := gcp.Config{Project: "acme", AccessTokenFile: token(t), Insecure: true, Endpoints: map[string]string{
				gcp.ResourceManager: away, gcp.ServiceUsage: away, gcp.IAM: away, gcp.Storage: away,
			}}
			c.config(&conf)
			g := doctor.Google{Config: conf, Needs: doctor.NeedsOf(doctor.Stack{Project: "acme", Resources: seed}), Resources: seed, Now: time.Now}
			var failed []string
			for _, f := range doctor.Run(t.Context(), 5*time.Second, g.Checks()) {
				if strings.Contains(f.Detail, "https://serviceusage") || strings.Contains(f.Detail, "?alt=json") {
					t.Errorf("a finding is no dump of a request: %s", f.Detail)
				}
				if f.Outcome != doctor.Fail {
					continue
				}
				failed = append(failed, f.Check)
				if !strings.Contains(f.Detail, c.detail) || !strings.Contains(f.Mend, c.mend) {
					t.Errorf("%s: %+v", c.reason, f)
				}
			}
			slices.Sort(failed)
			if !slices.Equal(failed, c.failed) {
				t.Errorf("%s: failed %q, want %q", c.reason, failed, c.failed)
			}
		})
	}
}
