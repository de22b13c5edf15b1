package plan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

// world is a random stack, a random cloud and a random policy.
func world(seed uint64) scenario {
	r := rand.New(rand.NewPCG(seed, 7))
	chance := func(n int) bool { return r.IntN(n) == 0 }
	kinds := []string{"cluster", "room", "app", "disk"}
	s := scenario{view: View{Blind: map[string]error{}, Unlisted: map[string]error{}}, policy: Policy{
		Commit: "bbbb", Prune: !chance(8), MaxDeletes: []int{0, 2, 100}[r.IntN(3)], Observe: chance(12), Destroy: chance(6),
		Held: map[resource.Ref]string{}, Settled: map[resource.Ref]bool{}, Rejected: map[resource.Ref]string{},
	}}
	if chance(15) {
		s.policy.Suspended = "a reason"
	}
	// Needs point to what comes before, so that no stack stands on itself; live ones point anywhere.
	var all []resource.Ref
	lifetimes := map[string]resource.Lifetime{"cluster": resource.Stateful, "disk": resource.Stateful}
	needs := func(among []resource.Ref) []resource.Need {
		var out []resource.Need
		for range r.IntN(3) {
			if len(among) > 0 {
				out = append(out, resource.Need{Ref: among[r.IntN(len(among))], In: chance(2)})
			}
		}
		return out
	}
	for _, kind := range kinds {
		for n := range 1 + r.IntN(3) {
			all = append(all, resource.Ref{Kind: kind, Name: fmt.Sprint(n)})
		}
	}
	for i, ref := range all {
		entry := fmt.Sprint("entry", r.IntN(4))
		if !chance(3) {
			w := resource.Resource{
				Ref: ref, Hash: "h", Needs: needs(all[:i]), Lifetime: lifetimes[ref.Kind], Entry: entry,
				Protect: chance(2), Adopt: chance(4), Observe: chance(10), Shared: chance(10), InheritsFirst: ref.Kind == "disk",
			}
			if chance(10) {
				w.Suspend = "a reason"
			}
			if ref.Kind == "app" {
				w.Rest = &resource.Rest{Asleep: chance(2)}
			}
			s.want = append(s.want, w)
		}
		if !chance(3) {
			o := resource.Observation{
				Ref: ref, State: []resource.State{resource.Ready, resource.Ready, resource.Pending, resource.Busy, resource.Broken}[r.IntN(5)],
				Owned: !chance(5), Lifetime: lifetimes[ref.Kind], Needs: needs(all[:i]), Entry: entry, Version: "v",
				Unprotected: []string{"", "aaaa", "bbbb"}[r.IntN(3)],
			}
			if chance(20) {
				o.Needs = needs(all)
			}
			o.Locked = o.State == resource.Pending && chance(2)
			for _, f := range []resource.Change{{Field: "size"}, {Field: "place", Recreate: true}, {Field: "force", Mark: true}} {
				if chance(3) {
					o.Diff = append(o.Diff, f)
				}
			}
			if ref.Kind == "app" {
				o.Asleep, o.Rest = chance(2), &resource.Rest{Asleep: chance(2)}
				if o.Turn() != "" && len(o.Diff) == 0 {
					o.Diff = []resource.Change{{Field: "size"}}
				}
			}
			if chance(25) {
				o.State, o.Diff = resource.Unknown, nil
				s.view.Blind[ref.Kind] = errors.New("one of them could not be read")
			}
			s.view.Found = append(s.view.Found, o)
		}
		if chance(15) {
			s.policy.Held[ref] = "a reason"
		}
		if chance(4) {
			s.policy.Settled[ref] = true
		}
		if chance(15) {
			s.policy.Rejected[ref] = "a reason"
		}
	}
	for _, kind := range kinds {
		if chance(12) {
			s.view.Unlisted[kind] = errors.New("forbidden")
		}
		if chance(20) {
			s.view.Blind[kind] = errors.New("away")
		}
	}
	if len(s.want) == 0 {
		s.want = append(s.want, resource.Resource{Ref: resource.Ref{Kind: "app", Name: "only"}})
	}
	return s
}

// FuzzMake holds every plan to the rules that hold whatever the world looks like.
func FuzzMake(f *testing.F) {
	for seed := range uint64(3000) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		s := world(seed)
		p, err := Make(s.want, s.view, s.policy)
		if err != nil {
			t.Fatalf("seed %d: a stack without a circle is refused: %v", seed, err)
		}
		for _, wrong := range breaches(s, p) {
			t.Errorf("seed %d: %s\n%s", seed, wrong, text(p))
		}
		again := world(seed)
		slices.Reverse(again.want)
		slices.Reverse(again.view.Found)
		if q, _ := Make(again.want, again.view, again.policy); text(q) != text(p) {
			t.Errorf("seed %d: the order of the input changes the plan:\n%s\nand\n%s", seed, text(p), text(q))
		}
	})
}

// breaches are the rules that a plan breaks. They are written without a look at how Make works.
func breaches(s scenario, p Plan) (wrong []string) {
	want, live := map[resource.Ref]resource.Resource{}, map[resource.Ref]resource.Observation{}
	for _, r := range s.want {
		want[r.Ref] = r
	}
	for _, o := range s.view.Found {
		live[o.Ref] = o
	}
	at := map[resource.Ref]int{}
	steps := map[resource.Ref]Step{}
	for i, st := range p.Steps {
		at[st.Ref], steps[st.Ref] = i, st
	}
	entries := map[string]bool{}
	breach := func(st Step, rule string) { wrong = append(wrong, fmt.Sprintf("%s: %s", st.Ref, rule)) }
	for i, st := range p.Steps {
		w, wanted := want[st.Ref]
		o, exists := live[st.Ref]
		wanted = wanted && !s.policy.Destroy
		removes := st.Verb == Delete || st.Verb == Recreate
		if st.Why == "" {
			breach(st, "has no reason")
		}
		for _, ref := range st.After {
			if j, ok := at[ref]; ok && j >= i {
				breach(st, "comes before what it waits for")
			}
		}
		if !st.Verb.Writes() {
			continue
		}
		marksOnly := !slices.ContainsFunc(st.Drift, func(c resource.Change) bool { return !c.Mark })
		rules := []struct {
			broken bool
			rule   string
		}{
			{s.policy.Observe || s.policy.Suspended != "" || s.policy.Held[st.Ref] != "", "is written although it is to be left alone"},
			{w.Suspend != "" || w.Observe && wanted && !st.Within, "is written although the stack says not to"},
			{s.policy.Rejected[st.Ref] != "" && !st.Within, "is tried again although it was refused"},
			{exists && o.State == resource.Unknown, "is written although it could not be read"},
			{exists && (o.Locked || o.State == resource.Busy), "is written although it takes no writes"},
			{exists && !o.Owned && !(w.Adopt && st.Verb == Update), "is not ours"},
			{!exists && s.view.Blind[st.Ref.Kind] != nil, "is taken for absent although it could not be observed"},
			{st.Verb == Create && (exists || !wanted), "is created although it exists or nobody wants it"},
			{st.Verb == Update && slices.ContainsFunc(st.Drift, func(c resource.Change) bool { return c.Recreate }), "changes in place what cannot be"},
			{st.Verb == Update && o.Owned && !marksOnly && slices.ContainsFunc(st.Drift, func(c resource.Change) bool { return c.Mark }), "mixes marks with other changes"},
			{st.Verb == Delete && wanted, "is removed although it is wanted"},
			{st.Verb == Delete && !s.policy.Prune && !s.policy.Destroy, "is removed although prune is off"},
			{removes && len(s.view.Blind) > 0, "is removed while something is blind"},
			{st.Verb == Delete && s.view.Unlisted[st.Ref.Kind] != nil, "is removed although its kind could not be listed"},
			{removes && o.Lifetime == resource.Stateful && (o.Unprotected == "" || o.Unprotected == s.policy.Commit && !s.policy.Destroy), "is stateful and no earlier commit freed it"},
			{removes && o.Lifetime == resource.Stateful && w.Ref == st.Ref && w.Protect, "is protected"},
		}
		for _, r := range rules {
			if r.broken {
				breach(st, string(st.Verb)+": "+r.rule)
			}
		}
		if st.Verb == Delete {
			entries[o.Entry] = true
		}
		if st.Verb != Delete && st.Verb != Recreate {
			continue
		}
		for _, other := range s.view.Found {
			in := slices.Contains(other.Needs, resource.Need{Ref: st.Ref, In: true})
			needed := in || slices.Contains(other.Needs, resource.Need{Ref: st.Ref})
			os, planned := steps[other.Ref]
			goes := os.Verb == Delete || os.Verb == Recreate
			shared := !other.Owned && want[other.Ref].Shared
			switch {
			case goes || shared || !needed:
			case in && st.Verb == Recreate:
				breach(st, "is replaced under "+other.Ref.String()+", which lives in it and stays")
			case st.Verb == Delete && !(planned && os.Verb == Update):
				breach(st, "is removed under "+other.Ref.String()+", which stays")
			}
		}
	}
	if !s.policy.Destroy && len(entries) > s.policy.MaxDeletes {
		wrong = append(wrong, fmt.Sprintf("%d entries are removed, more than maxDeletes", len(entries)))
	}
	for ref := range want {
		if _, ok := steps[ref]; !ok && !s.policy.Destroy {
			wrong = append(wrong, fmt.Sprintf("%s is wanted and has no step", ref))
		}
	}
	return wrong
}

// TestBreachesAreNoticed: the rules of FuzzMake are no decoration. Each world is planned as if one fact were otherwise, which is
// what a planner without that rule would do, and judged as it is.
func TestBreachesAreNoticed(t *testing.T) {
	each := func(change func(*resource.Observation)) func(*scenario) {
		return func(s *scenario) {
			s.view.Found = slices.Clone(s.view.Found)
			for i := range s.view.Found {
				change(&s.view.Found[i])
			}
		}
	}
	for name, forget := range map[string]func(*scenario){
		"whose it is":         each(func(o *resource.Observation) { o.Owned = true }),
		"what takes no write": each(func(o *resource.Observation) { o.Locked = false }),
		"what is busy": each(func(o *resource.Observation) {
			if o.State == resource.Busy {
				o.State = resource.Ready
			}
		}),
		"protection":  each(func(o *resource.Observation) { o.Unprotected = "aaaa" }),
		"the ground":  each(func(o *resource.Observation) { o.Needs = nil }),
		"blindness":   func(s *scenario) { s.view.Blind = nil },
		"the listing": func(s *scenario) { s.view.Unlisted = nil },
		"maxDeletes":  func(s *scenario) { s.policy.MaxDeletes = 1000 },
		"refusals":    func(s *scenario) { s.policy.Rejected = nil },
		"suspension":  func(s *scenario) { s.policy.Held = nil },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3000) {
				s := world(seed)
				lied := s
				forget(&lied)
				p, err := Make(lied.want, lied.view, lied.policy)
				if err == nil && len(breaches(s, p)) > 0 {
					return
				}
			}
			t.Error("a planner that forgets it is not noticed in 3000 worlds")
		})
	}
}

// TestRunKeepsToAfter runs random plans with random failures: nothing starts before what it waits for has cleared the way, and
// what does not stand on a failure is done.
func TestRunKeepsToAfter(t *testing.T) {
	for seed := range uint64(500) {
		s := world(seed)
		p, err := Make(s.want, s.view, s.policy)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 9))
		fails := map[resource.Ref]bool{}
		for _, st := range p.Steps {
			fails[st.Ref] = r.IntN(4) == 0
		}
		results := Run(t.Context(), p, 4, func(_ context.Context, st Step) (bool, error) {
			if fails[st.Ref] {
				return st.Usable, errors.New("503")
			}
			return true, nil
		})
		got := map[resource.Ref]Result{}
		for _, res := range results {
			got[res.Ref] = res
		}
		for i, st := range p.Steps {
			res := results[i]
			if res.Ref != st.Ref || res.Verb != st.Verb || !st.Verb.Writes() && res.Outcome != None {
				t.Fatalf("seed %d: result %+v of step %+v", seed, res, st)
			}
			blocked := slices.ContainsFunc(st.After, func(ref resource.Ref) bool {
				b, ok := got[ref]
				return !ok || !b.Usable || st.Verb == Delete && b.Outcome != OK
			})
			switch {
			case !st.Verb.Writes():
			case res.Outcome == Waiting && !blocked && !slices.ContainsFunc(st.After, func(ref resource.Ref) bool { return got[ref].Verb == Recreate }):
				t.Errorf("seed %d: %s waits although nothing is in its way: %v", seed, st.Ref, res.Err)
			case res.Outcome != Waiting && blocked:
				t.Errorf("seed %d: %s went on (%s) although %v is not ready", seed, st.Ref, res.Outcome, st.After)
			}
		}
		if len(results) != len(p.Steps) {
			t.Errorf("seed %d: %d results of %d steps", seed, len(results), len(p.Steps))
		}
	}
}
