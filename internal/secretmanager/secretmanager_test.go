package secretmanager_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
	"recsysd.dev/recsysd/internal/secretmanager"
)

const marked = "hunter2hunter2"

func store(t *testing.T, google *gcptest.Server, refresh time.Duration) *secretmanager.Store {
	t.Helper()
	s := secretmanager.New(t.Context(), google.Config(), refresh)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// one asks for one name and demands that no error repeats a value.
func one(t *testing.T, s *secretmanager.Store, n secretmanager.Name) secretmanager.Value {
	t.Helper()
	v := s.Values(t.Context(), []secretmanager.Name{n})[0]
	if said := fmt.Sprint(v.Err, v.Stale); strings.Contains(said, "hunter2") || strings.Contains(said, "aHVudGVyMg") {
		t.Errorf("a value is repeated: %s", said)
	}
	if (v.Err == nil) != (v.Version != "") || v.Next.IsZero() {
		t.Errorf("neither a value nor an error, or no time to ask again: %+v", v)
	}
	return v
}

// The newest enabled version is used, whatever is newer and disabled, and one that the stack names is used as long as it is enabled.
func TestWhichVersion(t *testing.T) {
	google := gcptest.Start(t)
	s := store(t, google, 0)
	for i := range 12 { // 10 is newer than 9
		google.AddSecret("db", fmt.Sprint("value ", i+1))
	}
	google.SetVersion("db", 12, "DISABLED")
	google.SetVersion("db", 11, "DESTROYED")
	db := secretmanager.Name{Secret: "db"}
	if v := one(t, s, db); v.Version != "10" || string(v.Data) != "value 10" {
		t.Errorf("got version %q with %q, %v; want 10", v.Version, v.Data, v.Err)
	}
	google.SetVersion("db", 12, "ENABLED")
	if v := one(t, s, db); v.Version != "12" || string(v.Data) != "value 12" {
		t.Errorf("got version %q with %q, %v; want 12", v.Version, v.Data, v.Err)
	}
	if v := one(t, s, secretmanager.Name{Secret: "db", Version: "3"}); string(v.Data) != "value 3" {
		t.Errorf("got %q, %v; want the version that was named", v.Data, v.Err)
	}
	if v := one(t, s, secretmanager.Name{Secret: "projects/acme/secrets/db", Version: "4"}); string(v.Data) != "value 4" {
		t.Errorf("got %q, %v; want the secret by its full name", v.Data, v.Err)
	}
}

// What is asked for is counted where it arrives.
func TestWhatItCosts(t *testing.T) {
	google := gcptest.Start(t)
	google.AddSecret("a", "1")
	google.AddSecret("b", "2")
	names := []secretmanager.Name{{Secret: "a"}, {Secret: "b", Version: "1"}}
	asked := func(list, get, access int, what string) {
		t.Helper()
		l, g, a := google.Count("ListSecretVersions"), google.Count("GetSecretVersion"), google.Count("AccessSecretVersion")
		if l != list || g != get || a != access {
			t.Errorf("%s: %d listings, %d reads, %d values; want %d, %d, %d", what, l, g, a, list, get, access)
		}
		google.Forget()
	}
	slow := store(t, google, time.Hour)
	for range 5 {
		slow.Values(t.Context(), names)
	}
	asked(1, 1, 2, "five times within one interval")

	quick := store(t, google, 0)
	quick.Values(t.Context(), names)
	google.Forget()
	quick.Values(t.Context(), names)
	asked(1, 1, 0, "an interval later, with nothing new")
	google.AddSecret("a", "1 again")
	quick.Values(t.Context(), names)
	asked(1, 1, 1, "with one new version")
}

// Every reason for which there is no value is one line that names the secret and what to do, and the last known value goes on.
func TestWithoutAnAnswer(t *testing.T) {
	cases := []struct {
		why     string
		name    secretmanager.Name
		trouble func(*gcptest.Server)
		mend    func(*gcptest.Server)
		want    string
	}{
		{"listing is forbidden", secretmanager.Name{Secret: "db"},
			func(g *gcptest.Server) { g.Forbid("ListSecretVersions") }, (*gcptest.Server).Heal,
			"secret manager: secret db: permission secretmanager.versions.list is missing (roles/secretmanager.viewer), or it does not exist"},
		{"it was removed", secretmanager.Name{Secret: "db"},
			func(g *gcptest.Server) { g.RemoveSecret("db") }, func(g *gcptest.Server) { g.AddSecret("db", marked) },
			"secret manager: secret db: it does not exist"},
		{"every version is disabled", secretmanager.Name{Secret: "db"},
			func(g *gcptest.Server) { g.SetVersion("db", 1, "DISABLED") }, func(g *gcptest.Server) { g.SetVersion("db", 1, "ENABLED") },
			"secret manager: secret db: it has no enabled version"},
		{"the version is disabled", secretmanager.Name{Secret: "db", Version: "1"},
			func(g *gcptest.Server) { g.SetVersion("db", 1, "DISABLED") }, func(g *gcptest.Server) { g.SetVersion("db", 1, "ENABLED") },
			"secret manager: secret db: version 1 is disabled"},
		{"the service is away", secretmanager.Name{Secret: "db"},
			func(g *gcptest.Server) { g.Fail("secretmanager", codes.Unavailable, "try later", gcptest.Forever) }, (*gcptest.Server).Heal,
			"secret manager: secret db: secretmanager.versions.list: Unavailable: try later"},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			google := gcptest.Start(t)
			google.AddSecret("db", marked)
			known := store(t, google, 0)
			if v := one(t, known, c.name); string(v.Data) != marked {
				t.Fatalf("at first: %v", v.Err)
			}
			c.trouble(google)
			if v := one(t, store(t, google, 0), c.name); v.Err == nil || v.Err.Error() != c.want || v.Data != nil {
				t.Errorf("at a start: got %v\nwant %s", v.Err, c.want)
			}
			v := one(t, known, c.name)
			if string(v.Data) != marked || v.Version != "1" || v.Stale == nil || !strings.HasPrefix(v.Stale.Error(), c.want) {
				t.Errorf("later: the last known value is to go on, with a word: %q, %v, %v", v.Data, v.Err, v.Stale)
			}
			c.mend(google)
			if v := one(t, known, c.name); string(v.Data) != marked || v.Stale != nil {
				t.Errorf("mended: %q, %v", v.Data, v.Stale)
			}
		})
	}
}

func TestRefusedValues(t *testing.T) {
	google := gcptest.Start(t)
	google.AddSecret("db", marked)
	google.Forbid("AccessSecretVersion")
	if v := one(t, store(t, google, 0), secretmanager.Name{Secret: "db"}); v.Err == nil || !strings.Contains(v.Err.Error(), "permission secretmanager.versions.access is missing (roles/secretmanager.secretAccessor)") {
		t.Errorf("forbidden: %v", v.Err)
	}
	google.Heal()
	google.BendSecret("db", true)
	if v := one(t, store(t, google, 0), secretmanager.Name{Secret: "db"}); v.Err == nil || v.Data != nil || !strings.Contains(v.Err.Error(), "checksum") {
		t.Errorf("damaged on the way: %q, %v", v.Data, v.Err)
	}
	google.BendSecret("db", false)
	for _, n := range []secretmanager.Name{{Secret: "db", Version: "7"}, {Secret: "projects/other/secrets/db"}} {
		if v := one(t, store(t, google, 0), n); v.Err == nil || !strings.Contains(v.Err.Error(), n.Secret) {
			t.Errorf("%v: %v", n, v.Err)
		}
	}
}

// One that hangs costs a pass a few seconds, and the others nothing.
func TestHanging(t *testing.T) {
	google := gcptest.Start(t)
	google.AddSecret("a", "1")
	google.AddSecret("b", "2")
	google.Hang("GetSecretVersion")
	s := store(t, google, time.Hour)
	began := time.Now()
	values := s.Values(t.Context(), []secretmanager.Name{{Secret: "a", Version: "1"}, {Secret: "b"}})
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("it took %v", took)
	}
	if values[0].Err == nil || !strings.Contains(values[0].Err.Error(), "no answer within 5s") || string(values[1].Data) != "2" {
		t.Errorf("got %v and %q", values[0].Err, values[1].Data)
	}
}
