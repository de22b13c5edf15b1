package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

var update = flag.Bool("update", false, "write the golden files anew")

const commitA = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"

var at = time.Date(2026, 11, 24, 12, 4, 0, 0, time.UTC)

// pass has one of everything: all verbs, a failure, a blind kind, a notice, values that no terminal should be given as they are.
func pass() reconcile.Pass {
	ref := func(kind, name string) resource.Ref { return resource.Ref{Kind: kind, Name: name} }
	p := reconcile.Pass{
		Stack: "recsys", Attempted: commitA, Applied: "0f" + commitA[2:], Start: at.Add(-3 * time.Second), End: at,
		Plan: plan.Plan{
			Steps: []plan.Step{
				{Ref: ref("cluster", "acme-gke"), Verb: plan.Keep, Why: "as wanted", Usable: true, Entry: "clusters.primary"},
				{Ref: ref("bucket", "acme-recsys-data"), Verb: plan.Update, Why: "2 fields differ", Usable: true, Entry: "buckets.data", Drift: []resource.Change{
					{Field: "labels.team", Want: "ml"},
					{Field: "versioning", Want: "false", Have: "true"},
				}},
				{Ref: ref("Service", "recsys/api"), Verb: plan.Create, Why: "absent", Entry: "workloads.api"},
				{Ref: ref("Deployment", "recsys/api"), Verb: plan.Recreate, Why: "spec.selector cannot change in place", Entry: "workloads.api", Drift: []resource.Change{
					{Field: "spec.selector", Want: "app=api", Have: "app=old", Recreate: true, Manager: "kubectl-edit"},
				}},
				{Ref: ref("ConfigMap", "recsys/notes"), Verb: plan.Update, Why: "1 field differs", Usable: true, Drift: []resource.Change{
					{Field: "data.motd", Want: "hello", Have: "\x1b]0;owned\a" + strings.Repeat("x", 200), Manager: "kubectl"},
				}},
				{Ref: ref("Service", "recsys/redis"), Verb: plan.Delete, Why: "no longer wanted"},
				{Ref: ref("bucket", "acme-old"), Verb: plan.Hold, Held: plan.Delete, Why: "no longer wanted, but protected", Usable: true},
				{Ref: ref("registry", "acme-recsys"), Verb: plan.Hold, Held: plan.Update, Why: "registry could not be observed"},
			},
			Blind:   map[string]string{"registry": "403: permission denied"},
			Notices: []string{"bucket/acme-recsys-data: label cost-center is not in the stack"},
		},
		Want: []resource.Resource{
			{Ref: ref("cluster", "acme-gke"), Entry: "clusters.primary"},
			{Ref: ref("bucket", "acme-recsys-data"), Entry: "buckets.data"},
		},
		Seen: []resource.Observation{
			{Ref: ref("cluster", "acme-gke"), State: resource.Ready, Outputs: map[string]string{"endpoint": "203.0.113.7"}},
			{Ref: ref("bucket", "acme-recsys-data"), State: resource.Ready, Outputs: map[string]string{"url": "gs://acme-recsys-data"}},
			{Ref: ref("bucket", "acme-old"), State: resource.Ready, Outputs: map[string]string{"url": "gs://acme-old"}},
			{Ref: ref("Deployment", "recsys/api"), State: resource.Pending, Detail: "0 of 1 replicas available"},
			{Ref: ref("registry", "acme-recsys"), State: resource.Unknown, Detail: "403: permission denied"},
		},
	}
	for _, s := range p.Plan.Steps {
		p.Results = append(p.Results, plan.Result{Ref: s.Ref, Verb: s.Verb, Usable: s.Usable, Outcome: plan.None})
	}
	p.Results[1].Outcome, p.Results[1].Err = plan.Failed, errors.New("412: changed meanwhile")
	p.Results[2].Outcome, p.Results[2].Usable = plan.OK, true
	return p
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update if that is meant):\n got\n%s\nwant\n%s", name, got, want)
	}
}

func render(t *testing.T, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	p := pass()
	var month cost.Money
	if err := json.Unmarshal([]byte("178.883361"), &month); err != nil {
		t.Fatal(err)
	}
	now := at.Add(12 * time.Second)
	status := Status{ConfigError: "config.yaml:3:5: stacks[0].wdth: unknown field", Stacks: []StackStatus{
		StackOf("recsys", &p, at.Add(-time.Hour)), StackOf("second", nil, time.Time{}),
	}}
	drift := Drift{Stack: "recsys", Resources: []ResourceDrift{{
		Kind: "bucket", Name: "acme-recsys-data", Since: at.Add(-3 * time.Minute), Drift: changes(p.Plan.Steps[1].Drift),
		Done: reconcile.DoneFailed, Why: "412: changed meanwhile", Excess: Excess{USDPerMonth: &month},
	}, {
		Kind: "Deployment", Name: "recsys/api", Since: at.Add(-time.Minute), Drift: []Change{{Field: "spec.replicas", Want: "1", Have: "10", Manager: "kubectl"}},
		Done: reconcile.DoneLeft, Why: "the stack is suspended: load test", Held: "the stack is suspended: load test", Excess: Excess{Unpriced: "cpu: no price"},
	}}}
	history := History{Stack: "recsys", Passes: []HistoryPass{{
		Start: p.Start, End: p.End, Attempted: p.Attempted, Applied: p.Applied, Outcome: "failed", Error: "git: host is down",
		Steps: []HistoryStep{{Kind: "bucket", Name: "acme-recsys-data", Verb: "update", Outcome: "failed", Why: "2 fields differ", Drift: changes(p.Plan.Steps[1].Drift)}, {
			Kind: "Deployment", Name: "recsys/api", Verb: "update", Outcome: "ok", Why: "differs in spec.replicas", Done: reconcile.DoneCorrected, Since: at,
			Drift: []Change{{Field: "spec.replicas", Want: "1", Have: "10", Manager: "kubectl"}}, Excess: &Excess{USDPerMonth: &month},
		}},
	}}}
	time.Local = time.UTC
	for _, g := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"plan.txt", func(b *bytes.Buffer) error { return PlanOf(p).Text(b, Paint{}) }},
		{"plan.colour.txt", func(b *bytes.Buffer) error { return PlanOf(p).Text(b, Paint{On: true}) }},
		{"plan.json", func(b *bytes.Buffer) error { return JSON(b, PlanOf(p)) }},
		{"status.txt", func(b *bytes.Buffer) error { return status.Text(b, Paint{}, now) }},
		{"status.json", func(b *bytes.Buffer) error { return JSON(b, status) }},
		{"drift.txt", func(b *bytes.Buffer) error { return drift.Text(b, Paint{}, now) }},
		{"drift.json", func(b *bytes.Buffer) error { return JSON(b, drift) }},
		{"history.txt", func(b *bytes.Buffer) error { return history.Text(b, Paint{}) }},
		{"history.json", func(b *bytes.Buffer) error { return JSON(b, history) }},
	} {
		golden(t, g.name, render(t, g.write))
	}
}

// The keys of section 8 of the design are what other people's programs read.
func TestContractKeys(t *testing.T) {
	p := pass()
	for _, c := range []struct {
		what string
		v    any
		keys string
	}{
		{"plan", PlanOf(p), "stack revision steps summary"},
		{"plan step", PlanOf(p).Steps[1], "kind name verb why drift usdPerMonth"},
		{"plan summary", PlanOf(p).Summary, "keep create update recreate delete hold"},
		{"a field", PlanOf(p).Steps[1].Drift[0], "field want have manager"},
		{"status", Status{}, "stacks"},
		{"status stack", StackOf("recsys", &p, at), "name attempted applied lastPass lastConverged converged error outputs resources"},
		{"status resource", StackOf("recsys", &p, at).Resources[0], "kind name state usable drift held detail"},
		{"history", History{}, "stack passes"},
		{"history pass", HistoryPass{}, "start end attempted applied outcome error steps"},
		{"history step", HistoryStep{}, "kind name verb outcome why drift"},
		{"drift", Drift{}, "stack resources"},
		{"drift resource", ResourceDrift{}, "kind name since drift done why held usdPerMonth"},
	} {
		b, err := json.Marshal(c.v)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		for _, key := range strings.Fields(c.keys) {
			if _, ok := got[key]; !ok {
				t.Errorf("%s: the key %q is part of the contract and missing", c.what, key)
			}
		}
	}
}

func TestNothingIsNullThatIsAList(t *testing.T) {
	for _, v := range []any{PlanOf(reconcile.Pass{}), StackOf("recsys", nil, time.Time{}), DriftOf("recsys", nil)} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"steps", "resources", "outputs", "blind", "notices"} {
			if strings.Contains(string(b), `"`+key+`":null`) {
				t.Errorf("programs loop over %s without asking: %s", key, b)
			}
		}
	}
}

func TestStatusTravelsThroughJSON(t *testing.T) {
	p := pass()
	want := Status{Stacks: []StackStatus{StackOf("recsys", &p, at)}}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Status
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the command line shows what it got over the socket:\n got %+v\nwant %+v", got, want)
	}
}

func TestOutputsAreOfWhatIsWanted(t *testing.T) {
	got := Outputs(pass())
	want := map[string]string{"clusters.primary.endpoint": "203.0.113.7", "buckets.data.url": "gs://acme-recsys-data"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("by entry and key, and nothing of what is only left over: %v", got)
	}
}

func TestNothingToDoIsSaid(t *testing.T) {
	p := pass()
	p.Plan = plan.Plan{Steps: p.Plan.Steps[:1]}
	got := string(render(t, func(b *bytes.Buffer) error { return PlanOf(p).Text(b, Paint{}) }))
	if got != "recsys at 1a2b3c4d5e6f\n\nNothing to do: 1 unchanged.\n" {
		t.Errorf("got %q", got)
	}
}

func TestWordOfAStackThatIsOnlyLookedAt(t *testing.T) {
	now := time.Now()
	if got := (StackStatus{LastPass: &now, Outcome: "progressing", Left: true}).Word(); got != "differs, and is left as it is" {
		t.Errorf("%q: it will never converge", got)
	}
}

func TestAReasonIsShownToItsEnd(t *testing.T) {
	advice := "say protect: false in one commit, and this in a later one"
	p := pass()
	p.Plan.Steps[6].Why = strings.Repeat("it is protected and ", 20) + advice
	p.Plan.Blind["registry"] = strings.Repeat("transport: error while dialing: ", 20) + "connection refused"
	v := StackOf("recsys", &p, at)
	status := string(render(t, func(b *bytes.Buffer) error { return v.Text(b, Paint{}, at) }))
	text := string(render(t, func(b *bytes.Buffer) error { return PlanOf(p).Text(b, Paint{}) }))
	for _, end := range []string{advice, "connection refused"} {
		if !strings.Contains(status, end) || !strings.Contains(text, end) {
			t.Errorf("status and plan say %q, which is at the end of a long reason:\n%s\n%s", end, status, text)
		}
	}
	if v.Word() != "failing" {
		t.Errorf("a stack that cannot be observed is %q; want failing, as the pass's own outcome is", v.Word())
	}
	if h := HistoryPassOf(p); !strings.Contains(h.Error, "could not be observed: registry") {
		t.Errorf("history says why a pass failed: %q", h.Error)
	}
}

// A stack is failing as soon as one step is, not only when the pass as a whole could not be made.
func TestFailing(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(*reconcile.Pass)
		want   bool
	}{
		{"a step that failed", func(p *reconcile.Pass) { p.Results[1].Outcome, p.Results[1].Err = plan.Failed, errors.New("412") }, true},
		{"a step that was refused some passes ago", func(p *reconcile.Pass) { p.Plan.Steps[6].Rejected = true }, true},
		{"a kind that nobody can see", func(p *reconcile.Pass) { p.Plan.Blind = map[string]string{"bucket": "403"} }, true},
		{"a stack file that is wrong", func(p *reconcile.Pass) { p.StackErr = errors.New("stack.yaml:1:1") }, true},
		{"steps on their way", func(*reconcile.Pass) {}, false},
	} {
		p := pass()
		p.Plan.Blind = nil
		p.Results[1].Outcome, p.Results[1].Err = plan.OK, nil
		c.change(&p)
		s := StackOf("recsys", &p, time.Time{})
		if s.Failing() != c.want || (s.Word() == "failing") != c.want {
			t.Errorf("%s: failing is %v, shown as %q", c.why, s.Failing(), s.Word())
		}
	}
}

// What goes wrong may quote anybody's text, so it is made safe for a terminal like everything else.
func TestErrorsAreSafeForATerminal(t *testing.T) {
	p := pass()
	p.StackErr = errors.New("stack.yaml:1:1: \x1b]0;owned\a")
	status := Status{ConfigError: "config.yaml:1:1: \x1b[2J", Stacks: []StackStatus{StackOf("recsys", &p, time.Time{})}}
	history := History{Stack: "recsys", Passes: []HistoryPass{HistoryPassOf(p)}}
	for name, text := range map[string][]byte{
		"status":  render(t, func(b *bytes.Buffer) error { return status.Text(b, Paint{}, at) }),
		"history": render(t, func(b *bytes.Buffer) error { return history.Text(b, Paint{}) }),
	} {
		if bytes.ContainsRune(text, '\x1b') || !bytes.Contains(text, []byte("stack.yaml:1:1")) {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// Taking over what is as it should be writes a mark, which is no difference; another difference beside it is.
func TestWhatIsOnlyMarkedIsNothingToDo(t *testing.T) {
	claim := plan.Step{
		Ref: resource.Ref{Kind: "bucket", Name: "acme-data"}, Verb: plan.Update, Usable: true, Claim: true, Why: "will be marked",
		Drift: []resource.Change{{Field: "labels.recsysd-stack", Want: "recsys", Have: "absent", Owner: true}},
	}
	other := plan.Step{Ref: resource.Ref{Kind: "bucket", Name: "acme-logs"}, Verb: plan.Create, Why: "is absent"}
	for _, c := range []struct {
		steps  []plan.Step
		says   string
		counts Summary
	}{
		{[]plan.Step{claim}, "Nothing to do: 1 unchanged.", Summary{Keep: 1}},
		{[]plan.Step{claim, other}, "1 to create, 1 unchanged.", Summary{Keep: 1, Create: 1}},
	} {
		p := reconcile.Pass{Stack: "recsys", Attempted: commitA, Plan: plan.Plan{Steps: c.steps, Notices: make([]string, 0, 4)}}
		v := PlanOf(p)
		var b bytes.Buffer
		if err := v.Text(&b, Paint{}); err != nil {
			t.Fatal(err)
		}
		if v.Summary != c.counts || !strings.Contains(b.String(), c.says) || !strings.Contains(b.String(), "notice: bucket/acme-data: will be marked\n") {
			t.Errorf("%+v:\n%s\nwant %s", v.Summary, b.String(), c.says)
		}
		if p.Plan.Notices[:1][0] != "" {
			t.Error("the view writes into the pass that it is made from")
		}
	}
}

// Whoever scales or edits by hand is named with the time, as long as it stands so and after it was put back.
func TestStatusNamesTheHand(t *testing.T) {
	hand := []Change{
		{Field: "spec.replicas", Want: "1", Have: "3", Manager: "kubectl", At: at.Add(-time.Minute)},
		{Field: "metadata.labels[team]", Want: "ml", Manager: "kubectl-label"},
		{Field: "spec.paused", Want: "(none)", Have: "true"}, {Field: "spec.x"}, {Field: "spec.y"},
	}
	v := StackStatus{Name: "recsys", LastPass: &at, Resources: []ResourceStatus{
		{Kind: "Deployment", Name: "recsys/api", State: resource.Ready, Usable: true, Drift: 5, Fields: hand, Since: &at, Held: "is suspended: load test"},
		{Kind: "Deployment", Name: "recsys/web", State: resource.Ready, Usable: true, Repaired: &Repair{At: at.Add(-10 * time.Minute), Since: at.Add(-11 * time.Minute), Drift: hand[:2]}},
	}}
	time.Local = time.UTC
	golden(t, "status.hand.txt", render(t, func(b *bytes.Buffer) error { return v.Text(b, Paint{}, at) }))
}

// A cluster that does not answer is one line, however many kinds live in it.
func TestOneReasonIsToldOnce(t *testing.T) {
	p := pass()
	const away = "cluster acme-gke does not answer"
	p.Plan.Blind = map[string]string{"Service": away, "Deployment": away, "bucket": "403"}
	for i := range p.Plan.Steps {
		p.Plan.Steps[i].Ref.Name = "n" + p.Plan.Steps[i].Ref.Name // nothing of it is seen
	}
	p.Plan.Steps[0].Ref, p.Plan.Steps[3].Ref = p.Seen[0].Ref, p.Seen[3].Ref
	p.Seen = append(p.Seen, resource.Observation{Ref: p.Plan.Steps[2].Ref, State: resource.Unknown, Detail: away})
	p.Plan.Steps = append(p.Plan.Steps, plan.Step{
		Ref: resource.Ref{Kind: "Deployment", Name: "recsys/api"}, Verb: plan.Hold, Held: plan.Keep, Why: "Deployment could not be observed, so it is left alone: " + away,
	})
	v := StackOf("recsys", &p, at)
	for what, text := range map[string]string{
		"status": string(render(t, func(b *bytes.Buffer) error { return v.Text(b, Paint{}, at) })),
		"plan":   string(render(t, func(b *bytes.Buffer) error { return PlanOf(p).Text(b, Paint{}) })),
	} {
		if strings.Count(text, away) != 1 || !strings.Contains(text, "Deployment, Service") {
			t.Errorf("%s:\n%s", what, text)
		}
	}
	if rows := v.Resources; rows[0].State != resource.Ready || rows[3].State != resource.Pending || rows[2].State != resource.Unknown || rows[5].State != resource.Unknown {
		t.Errorf("what could not be observed is not known to be absent: %+v", rows)
	}
	if len(v.Blind) != 3 {
		t.Errorf("programs are told by kind: %v", v.Blind)
	}
}
