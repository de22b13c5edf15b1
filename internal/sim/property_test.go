package sim_test

import (
	"flag"
	"strings"
	"testing"
	"testing/synctest"

	"recsysd.dev/recsysd/internal/resource"
)

var (
	histories = flag.Uint64("histories", 2000, "how many random histories to live")
	seed      = flag.Uint64("seed", 0, "live only the history of this seed and print it")
)

// live lives one history, in a bubble in which hours take no time.
func live(t *testing.T, seed uint64, m mutant) (err error) {
	synctest.Test(t, func(t *testing.T) { err = newHistory(seed, m).run(t.Context()) })
	return err
}

// TestHistories: whatever happens to a stack, once the trouble is over the cloud is as the stack wants it, or there is a
// reason that the stack and the cloud show; and on the way the cloud never had to refuse a step for its order, nothing was
// destroyed that is protected, and nothing foreign was touched.
func TestHistories(t *testing.T) {
	if *seed > 0 {
		h := (*history)(nil)
		synctest.Test(t, func(t *testing.T) { h = newHistory(*seed, mutant{}); h.run(t.Context()) })
		t.Fatal(h.failure("as asked for"))
	}
	const lanes = 4
	for lane := range uint64(lanes) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for s := lane + 1; s <= *histories; s += lanes {
				if err := live(t, s, mutant{}); err != nil {
					t.Fatalf("%v\nrepeat with -run TestHistories -seed %d", err, s)
				}
			}
		})
	}
}

// TestASeedIsALife: what a seed found can be looked at again.
func TestASeedIsALife(t *testing.T) {
	for s := uint64(1); s <= 40; s++ {
		var logs [2]string
		for i := range logs {
			synctest.Test(t, func(t *testing.T) {
				h := newHistory(s, mutant{})
				h.run(t.Context())
				logs[i] = h.failure("").Error()
			})
		}
		if logs[0] != logs[1] {
			t.Fatalf("seed %d gave two different lives:\n%s\nand\n%s", s, logs[0], logs[1])
		}
	}
}

// TestWhatIsListedTooMuch: an engine that is shown what others own leaves it alone.
func TestWhatIsListedTooMuch(t *testing.T) {
	for s := range uint64(100) {
		if err := live(t, s+1, mutant{all: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheHistoriesNotice: an engine that forgets one of its rules does not live through them.
func TestTheHistoriesNotice(t *testing.T) {
	mutants := []struct {
		mutant
		want string // in what was wrong
	}{
		{mutant{name: "the ownership test", live: func(f *facts) { f.Owned = true }}, "belongs to"},
		{mutant{name: "the ownership test on delete", all: true, live: func(f *facts) { f.Owned = f.Owned || !f.Wanted }}, "belongs to"},
		{mutant{name: "the hold on what is locked", live: func(f *facts) { f.Locked = false }}, "another operation"},
		{mutant{name: "the hold on what is pending", live: func(f *facts) {
			if f.State == resource.Pending {
				f.State, f.Locked = resource.Ready, false
			}
		}}, "another operation"},
		{mutant{name: "that busy is left alone", live: func(f *facts) {
			if f.State == resource.Busy {
				f.State = resource.Ready
			}
		}}, "another operation"},
		{mutant{name: "protection", live: func(f *facts) {
			if !f.Wanted {
				f.Unprotected = "ffffffffffff"
			}
		}}, "protected"},
		{mutant{name: "that blind is not absent", err: func(error) error { return nil }}, ""},
		{mutant{name: "that unknown is not absent", lost: true}, ""},
		{mutant{name: "that unlisted is not absent", sight: func(u map[string]error) { clear(u) }}, "not everything could be seen"},
		{mutant{name: "the order", stack: retold(func(r *resource.Resource) { r.Needs = nil })}, "which it "},
		{mutant{name: "the wait of heirs", stack: retold(func(r *resource.Resource) { r.InheritsFirst = false })}, "starts empty"},
		{mutant{name: "suspension", stack: retold(func(r *resource.Resource) { r.Suspend = "" })}, "suspended"},
		{mutant{name: "that adoption must be asked for", stack: retold(func(r *resource.Resource) { r.Adopt = true })}, "not to be adopted"},
		{mutant{name: "protect: true", stack: retold(func(r *resource.Resource) { r.Protect = false })}, ""},
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			other := "nothing"
			for s := range uint64(300) {
				if err := live(t, s+1, m.mutant); err != nil {
					line, _, _ := strings.Cut(err.Error(), "\n")
					if strings.Contains(line, m.want) {
						return
					}
					// Calls side by side have no fixed order, so one forgotten rule may show as another's breach; one by one they have.
					if s%2 == 1 {
						t.Fatalf("it should be noticed by %q, and was by: %s", m.want, line)
					}
					other = line
				}
			}
			t.Errorf("an engine without %s: 300 histories do not notice %q, but %s", m.name, m.want, other)
		})
	}
}
