package plan

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"recsysd.dev/recsysd/internal/resource"
)

var update = flag.Bool("update", false, "write the expected plans anew")

// TestScenarios plans every file in testdata. A file is a sentence that says what is being asked, then what is wanted, what
// lives, the policy, and the plan that is to come of them, or the error. The words are those of readScenario.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := readScenario(t, a).plan()
			i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "plan" })
			if i < 0 {
				a.Files = append(a.Files, txtar.File{Name: "plan"})
				i = len(a.Files) - 1
			}
			if *update {
				a.Files[i].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := string(a.Files[i].Data); got != want {
				t.Errorf("%s\ngot\n%s\nwant\n%s", strings.TrimSpace(string(a.Comment)), got, want)
			}
		})
	}
}

type scenario struct {
	want   []resource.Resource
	view   View
	policy Policy
}

func (s scenario) plan() string {
	p, err := Make(s.want, s.view, s.policy)
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	return text(p)
}

// text is a plan, a line per step: verb, resource, (what is held back), [fields], flags, after what, and why.
func text(p Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s %s", s.Verb, s.Ref)
		if s.Verb == Hold {
			fmt.Fprintf(&b, " (%s)", s.Held)
		}
		if len(s.Drift) > 0 {
			var names []string
			for _, c := range s.Drift {
				name := c.Field
				if c.Field == resource.FieldUnprotected {
					name += "=" + c.Want
				}
				names = append(names, name)
			}
			fmt.Fprintf(&b, " [%s]", strings.Join(names, " "))
		}
		for _, c := range s.Fought {
			fmt.Fprintf(&b, " leaving=%s", c.Field)
		}
		if s.Usable {
			b.WriteString(" usable")
		}
		if s.Within {
			b.WriteString(" within")
		}
		if s.Rejected {
			b.WriteString(" rejected")
		}
		if s.Claim {
			b.WriteString(" claim")
		}
		if s.Turn != "" {
			fmt.Fprintf(&b, " turns=%s", s.Turn)
		}
		for i, ref := range s.After {
			b.WriteString([]string{" after ", ", "}[min(i, 1)] + ref.String())
		}
		fmt.Fprintf(&b, ": %s\n", s.Why)
	}
	for _, n := range p.Notices {
		fmt.Fprintf(&b, "notice: %s\n", n)
	}
	return b.String()
}

// readScenario reads the sections want, live and policy. Words of a resource:
//
//	in=REF on=REF       what it lives in, what it stands on; part=REF: what it lives in and goes with
//	entry=NAME          its entry of the stack file
//	stateful permanent  its lifetime; otherwise it is disposable
//
// of a wanted one: pos=PLACE unprotected adopt observe shared inherits suspend=REASON; of a live one: its state, locked foreign asleep
// mark=COMMIT detail=TEXT refused=WHY notice=TEXT by-hand=TEXT differs=FIELD, where FIELD! cannot be changed in place, FIELD? neither and has
// the note "how", FIELD~ is a mark and FIELD@ that of the owner. Of both: rest=FORM, asleep or awake, as its schedule asks, or a person.
// Of the policy: commit=HASH observe no-prune max-deletes=N destroy suspended=REASON held=REF settled=REF rejected=REF blind=KIND unlisted=KIND lookout
// fought=REF:FIELD:RIVAL.
func readScenario(t testing.TB, a *txtar.Archive) scenario {
	s := scenario{view: View{Blind: map[string]error{}, Unlisted: map[string]error{}}}
	s.policy = Policy{Commit: "2222222222222222", Prune: true, MaxDeletes: 10, Held: map[resource.Ref]string{}, Settled: map[resource.Ref]bool{}, Rejected: map[resource.Ref]string{}}
	for _, f := range a.Files {
		for line := range strings.Lines(string(f.Data)) {
			words := split(t, line)
			if len(words) == 0 {
				continue
			}
			switch f.Name {
			case "want":
				s.want = append(s.want, readWanted(t, words))
			case "live":
				s.view.Found = append(s.view.Found, readLive(t, words))
			case "policy":
				s.readPolicy(t, words)
			case "plan":
			default:
				t.Fatalf("unknown section %s", f.Name)
			}
		}
	}
	return s
}

func readWanted(t testing.TB, words []string) resource.Resource {
	r := resource.Resource{Ref: ref(t, words[0]), Hash: "h", Protect: true}
	for _, w := range words[1:] {
		switch key, value, _ := strings.Cut(w, "="); key {
		case "in", "on", "part":
			r.Needs = append(r.Needs, resource.Need{Ref: ref(t, value), In: key != "on", Part: key == "part"})
		case "entry":
			r.Entry = value
		case "pos":
			r.Pos = value
		case "stateful":
			r.Lifetime = resource.Stateful
		case "permanent":
			r.Lifetime = resource.Permanent
		case "unprotected":
			r.Protect = false
		case "adopt":
			r.Adopt = true
		case "observe":
			r.Observe = true
		case "shared":
			r.Shared = true
		case "inherits":
			r.InheritsFirst = true
		case "suspend":
			r.Suspend = value
		case "rest":
			r.Rest = &resource.Rest{Asleep: value == "asleep"}
		default:
			t.Fatalf("unknown word %q of a wanted resource", w)
		}
	}
	return r
}

func readLive(t testing.TB, words []string) resource.Observation {
	o := resource.Observation{Ref: ref(t, words[0]), Owned: true, Version: "v", State: resource.Ready}
	for _, w := range words[1:] {
		switch key, value, _ := strings.Cut(w, "="); key {
		case "in", "on", "part":
			o.Needs = append(o.Needs, resource.Need{Ref: ref(t, value), In: key != "on", Part: key == "part"})
		case "entry":
			o.Entry = value
		case "stateful":
			o.Lifetime = resource.Stateful
		case "permanent":
			o.Lifetime = resource.Permanent
		case "locked":
			o.Locked = true
		case "foreign":
			o.Owned = false
		case "mark":
			o.Unprotected = value
		case "detail":
			o.Detail = value
		case "refused":
			o.Refused = value
		case "by-hand":
			o.ByHand = value
		case "notice":
			o.Notices = append(o.Notices, value)
		case "asleep":
			o.Asleep = true
		case "rest":
			o.Rest = &resource.Rest{Asleep: value == "asleep"}
		case "differs":
			name := strings.TrimRight(value, "!~@?")
			c := resource.Change{
				Field: name, Want: "a", Have: "b",
				Recreate: strings.HasSuffix(value, "!"), Mark: strings.HasSuffix(value, "~"), Owner: strings.HasSuffix(value, "@"),
			}
			if strings.HasSuffix(value, "?") {
				c.Recreate, c.Note = true, "how"
			}
			o.Diff = append(o.Diff, c)
		default:
			if err := o.State.UnmarshalText([]byte(w)); err != nil {
				t.Fatalf("unknown word %q of a live resource", w)
			}
		}
	}
	return o
}

func (s *scenario) readPolicy(t testing.TB, words []string) {
	for _, w := range words {
		switch key, value, _ := strings.Cut(w, "="); key {
		case "commit":
			s.policy.Commit = value
		case "observe":
			s.policy.Observe = true
		case "lookout":
			s.policy.Lookout = true
		case "fought":
			on, rival, _ := strings.Cut(value, ":")
			field, rival, _ := strings.Cut(rival, ":")
			if s.policy.Fought == nil {
				s.policy.Fought = map[resource.Ref]map[string]string{}
			}
			s.policy.Fought[ref(t, on)] = map[string]string{field: rival}
		case "no-prune":
			s.policy.Prune = false
		case "max-deletes":
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			s.policy.MaxDeletes = n
		case "destroy":
			s.policy.Destroy = true
		case "suspended":
			s.policy.Suspended = value
		case "held":
			s.policy.Held[ref(t, value)] = "a person looks at it"
		case "settled":
			s.policy.Settled[ref(t, value)] = true
		case "rejected":
			s.policy.Rejected[ref(t, value)] = "422: no such field"
		case "blind":
			s.view.Blind[value] = errors.New("503: try later")
		case "unlisted":
			s.view.Unlisted[value] = errors.New("403: no permission to list")
		default:
			t.Fatalf("unknown word %q of the policy", w)
		}
	}
}

func ref(t testing.TB, s string) resource.Ref {
	r, err := resource.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// split cuts at spaces; a value may be quoted.
func split(t testing.TB, line string) []string {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if strings.HasPrefix(line, "#") {
			break
		}
		end := strings.IndexAny(line, " \"")
		if end >= 0 && line[end] == '"' {
			quoted, err := strconv.QuotedPrefix(line[end:])
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			value, _ := strconv.Unquote(quoted)
			words = append(words, line[:end]+value)
			line = line[end+len(quoted):]
			continue
		}
		if end < 0 {
			end = len(line)
		}
		words = append(words, line[:end])
		line = line[end:]
	}
	return words
}
