package history_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"recsysd.dev/recsysd/internal/history"
	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

var api = resource.Ref{Kind: "Deployment", Name: "recsys/api"}

func pass(minute int, verb plan.Verb, o plan.Outcome) reconcile.Pass {
	at := time.Date(2026, 11, 24, 12, minute, 0, 0, time.UTC)
	return reconcile.Pass{
		Stack: "recsys", Attempted: "abc", Start: at, End: at.Add(time.Second),
		Plan:    plan.Plan{Steps: []plan.Step{{Ref: api, Verb: verb, Usable: true, Drift: []resource.Change{{Field: "image", Want: "a", Have: "b"}}}}},
		Results: []plan.Result{{Ref: api, Verb: verb, Outcome: o, Usable: true}},
	}
}

// What is remembered must come back after a restart exactly as it was.
func TestSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	s, m, err := history.Open(dir, "recsys")
	if err != nil || m.Applied != "" {
		t.Fatalf("an empty directory: memory %+v, %v", m, err)
	}
	want := reconcile.Memory{
		InSync: map[resource.Ref]string{api: "hash"}, DriftSince: map[resource.Ref]time.Time{api: time.Unix(1000, 0).UTC()},
		Applied: "abc", Suspended: "migration", Held: map[resource.Ref]string{{Kind: "bucket", Name: "b"}: "audit"},
		Fights: map[resource.Ref][]reconcile.Fight{api: {{Field: "spec.replicas", Want: "1", Have: "9", Rival: "scaler", Since: time.Unix(2000, 0).UTC(), Moved: time.Unix(3000, 0).UTC()}}},
	}
	if err := s.Record(pass(1, plan.Update, plan.OK), want); err != nil {
		t.Fatal(err)
	}
	again, got, err := history.Open(dir, "recsys")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the memory came back as %+v, want %+v", got, want)
	}
	if p := again.Passes(); len(p) != 1 || p[0].Steps[0].Drift[0].Field != "image" {
		t.Errorf("the passes came back as %+v", p)
	}
}

// A quiet daemon must not wear out the disk, nor bury what happened under what did not.
func TestQuietPassesAreFolded(t *testing.T) {
	dir := t.TempDir()
	s, _, err := history.Open(dir, "recsys")
	if err != nil {
		t.Fatal(err)
	}
	record := func(p reconcile.Pass) {
		t.Helper()
		if err := s.Record(p, reconcile.Memory{}); err != nil {
			t.Fatal(err)
		}
	}
	record(pass(1, plan.Update, plan.OK))
	record(pass(2, plan.Keep, plan.None))
	path := filepath.Join(dir, "recsys", "history.json")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for minute := 3; minute < 50; minute++ {
		record(pass(minute, plan.Keep, plan.None))
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("a pass that tells nothing new was written to disk")
	}
	if p := s.Passes(); len(p) != 2 || p[0].End.Minute() != 49 || p[1].Steps[0].Verb != "update" {
		t.Errorf("got %+v, want the newest first: one quiet entry until minute 49, then the update", p)
	}
	record(pass(50, plan.Update, plan.OK))
	record(pass(51, plan.Update, plan.OK))
	if p := s.Passes(); len(p) != 4 {
		t.Errorf("the same repair twice is %d entries in all, want 4: a fight must be visible", len(p))
	}
}

// A failure of last week says more than an hour of success.
func TestFailuresStayLonger(t *testing.T) {
	s, _, err := history.Open(t.TempDir(), "recsys")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 230 {
		p := pass(n%60, plan.Update, plan.OK)
		if n == 3 {
			p.Err = os.ErrDeadlineExceeded
		}
		if err := s.Record(p, reconcile.Memory{}); err != nil {
			t.Fatal(err)
		}
	}
	p := s.Passes()
	if len(p) > 200 || p[len(p)-1].Outcome != "failed" {
		t.Errorf("%d passes are kept and the oldest is %q, want at most 200 and the failure", len(p), p[len(p)-1].Outcome)
	}
}

// Half a file is what a full disk leaves: the daemon goes on, and says what it lost.
func TestUnreadableIsSetAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recsys", "history.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"memory": {"app`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := history.Remembered(dir, "recsys"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("whoever only reads is told %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("whoever only reads moved the daemon's file: %v", err)
	}
	s, _, err := history.Open(dir, "recsys")
	if s == nil || err == nil || !strings.Contains(err.Error(), "set aside") {
		t.Fatalf("store %v, error %v: want a store that begins anew and a word about the old one", s, err)
	}
	if _, err := os.Stat(path + ".unreadable"); err != nil {
		t.Error(err)
	}
	if err := s.Record(pass(1, plan.Update, plan.OK), reconcile.Memory{}); err != nil {
		t.Error(err)
	}
}

// A plan beside the daemon knows what the daemon remembers, and leaves no trace.
func TestRemembered(t *testing.T) {
	dir := t.TempDir()
	if m, err := history.Remembered(dir, "recsys"); err != nil || m.Applied != "" {
		t.Errorf("no history: %+v, %v", m, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	s, _, err := history.Open(dir, "recsys")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Record(pass(1, plan.Update, plan.OK), reconcile.Memory{Applied: "abc"}); err != nil {
		t.Fatal(err)
	}
	if m, err := history.Remembered(dir, "recsys"); err != nil || m.Applied != "abc" {
		t.Errorf("remembered %+v, %v", m, err)
	}
}

// One pass with a thousand steps over a thousand fields of a megabyte must not fill the disk, nor the memory.
func TestBounded(t *testing.T) {
	dir := t.TempDir()
	s, _, err := history.Open(dir, "recsys")
	if err != nil {
		t.Fatal(err)
	}
	p := pass(1, plan.Update, plan.OK)
	p.Plan.Steps[0].Why = strings.Repeat("w", 1<<20)
	large := strings.Repeat("ü", 1<<19)
	for range 1000 {
		p.Plan.Steps[0].Drift = append(p.Plan.Steps[0].Drift, resource.Change{Field: "data", Have: large})
	}
	for range 1000 {
		p.Plan.Steps, p.Results = append(p.Plan.Steps, p.Plan.Steps[0]), append(p.Results, p.Results[0])
	}
	p.Err = fmt.Errorf("%s", strings.Repeat("e", 1<<20))
	if err := s.Record(p, reconcile.Memory{}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Stat(filepath.Join(dir, "recsys", "history.json"))
	if err != nil || f.Size() > 8<<20 {
		t.Errorf("%v: %d bytes on disk", err, f.Size())
	}
	kept := s.Passes()[0]
	if !utf8.ValidString(kept.Steps[0].Drift[1].Have) || !strings.Contains(kept.Error, "901 more steps") {
		t.Errorf("cut badly: %q, %q", kept.Steps[0].Drift[1].Have, kept.Error)
	}
	if len(p.Plan.Steps[0].Drift[1].Have) != 1<<20 {
		t.Error("the pass itself was cut")
	}
}

// In a stack that only observes, drift is put back by nobody; it must be found in the history all the same, once.
func TestHeldDriftIsTold(t *testing.T) {
	s, _, err := history.Open(t.TempDir(), "recsys")
	if err != nil {
		t.Fatal(err)
	}
	for minute := range 5 {
		p := pass(minute, plan.Hold, plan.None)
		if minute == 1 {
			p.Detected = []resource.Ref{api}
		}
		if err := s.Record(p, reconcile.Memory{}); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for _, p := range s.Passes() {
		for _, step := range p.Steps {
			told++
			if step.Verb != "hold" || step.Drift[0].Field != "image" {
				t.Errorf("got %+v", step)
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
