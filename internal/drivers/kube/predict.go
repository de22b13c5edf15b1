package kube

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"recsysd.dev/recsysd/internal/resource"
)

// prediction is what the API server said an apply would change.
type prediction struct {
	changes []resource.Change
	take    []fieldpath.Path // fields that only a hand owns and that are to be put back
	notice  string
	refused string    // why the server would not take the spec; "": it would
	final   bool      // a write would be refused as the dry-run was: it is not tried
	missing string    // why it is not known which image it is to run; "": it is
	until   time.Time // then the same question is put again: defaults and webhooks may have changed
}

// verdicts keeps predictions by object, wanted hash and live fingerprint: the same question costs no second request for a while.
type verdicts struct {
	mu   sync.Mutex
	last map[resource.Ref]verdict
}

type verdict struct {
	question string
	as       string // the question of what is the same to us, where the answer is that nothing differs
	answer   *prediction
}

func (v *verdicts) get(ref resource.Ref, question, as string, now time.Time) *prediction {
	v.mu.Lock()
	defer v.mu.Unlock()
	if last := v.last[ref]; (last.question == question || last.as == as) && last.answer != nil && now.Before(last.answer.until) {
		return last.answer
	}
	return nil
}

// put keeps an answer for half of most to the whole of it, so that what was asked at once is not asked again at once.
func (v *verdicts) put(ref resource.Ref, question, as string, p *prediction, most time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil {
		v.last = map[resource.Ref]verdict{}
	}
	p.until = time.Now().Add(most/2 + rand.N(most/2))
	if len(p.changes) > 0 || len(p.take) > 0 || p.notice != "" || p.refused != "" || p.missing != "" {
		as = ""
	}
	v.last[ref] = verdict{question, as, p}
}

// keep forgets all but the objects of want.
func (v *verdicts) keep(want []Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.last) <= len(want) {
		return
	}
	wanted := make(map[resource.Ref]bool, len(want))
	for _, o := range want {
		wanted[o.Ref()] = true
	}
	maps.DeleteFunc(v.last, func(ref resource.Ref, _ verdict) bool { return !wanted[ref] })
}

// questions are all that the answer to a dry-run of o depends on, hash being that of what is declared: for what is live, and for what that
// is the same as.
func (o Object) questions(hash string, live *item) (question, as string) {
	question = fmt.Sprint(hash, o.Generate, o.Floor, o.leave, live.print)
	if live.as == live.print {
		return question, question
	}
	return question, strings.TrimSuffix(question, live.print) + live.as
}

// predict asks what applying want to live would change. An error that ofCluster does not blame on the cluster means
// that nothing can be said about this object now.
func (d *Driver) predict(ctx context.Context, s *link, m mapping, want Object, live *item) (*prediction, error) {
	want = want.borrowed(live.object.Object)
	hash := d.hashes.of(want)
	question, as := want.questions(hash, live)
	if p := s.verdict.get(want.Ref(), question, as, time.Now()); p != nil {
		return p, nil
	}
	patch, _ := declared(want)
	generated(patch, want, live.object.Object, placeholder)
	if err := want.carry(patch, live.object.Object); err != nil {
		return nil, err
	}
	if err := want.yield(patch, live.object.Object); err != nil {
		return nil, err
	}
	// The uid keeps a dry-run from telling how a successor of the same name would be created.
	object(patch, "metadata")["uid"] = string(live.object.GetUID())
	dry, err := s.apply(ctx, m, wire(patch), applyOptions{dryRun: true, force: true})
	var p *prediction
	if err == nil {
		if err := s.sameStill(ctx, m, live, dry.GetResourceVersion()); err != nil {
			return nil, err
		}
		p, err = d.judge(ctx, s, m, want, hash, live.object.Object, dry.Object)
	} else {
		p, err = d.refusal(ctx, s, m, want, live.object.Object, err)
	}
	if err != nil {
		return nil, err
	}
	s.verdict.put(want.Ref(), question, as, p, s.o.Relist)
	return p, nil
}

// sameStill makes sure that a dry-run, which was made at a version, has seen live in what is compared: a status moves all the time.
func (s *link) sameStill(ctx context.Context, m mapping, live *item, version string) error {
	if version == live.object.GetResourceVersion() {
		return nil
	}
	now, err := s.get(ctx, m, live.object.GetNamespace(), live.object.GetName())
	if status, ok := answer(err); ok && status.Code == http.StatusNotFound {
		return errMoved
	}
	if err != nil {
		return err
	}
	if fresh := newItem(now); fresh.print != live.print || fresh.version < number(version) {
		return errMoved
	}
	return nil
}

// judge compares what the server would make of an apply with what there is.
func (d *Driver) judge(ctx context.Context, s *link, m mapping, want Object, hash string, live, dry map[string]any) (*prediction, error) {
	before, err := owners(live)
	if err != nil {
		return nil, err
	}
	after, err := owners(dry)
	if err != nil {
		return nil, err
	}
	known := &fieldpath.Set{}
	for _, o := range append(before, after...) {
		known = known.Union(o.fields)
	}
	applied := webhookNoise{before: applied(before), after: applied(after),
		same: text(live, "metadata", "annotations", AnnotationApplied) == hash}
	var diffs []difference
	for _, diff := range compare(compared(dry), compared(live), known, false) {
		if !isNote(diff.path) && !applied.explains(diff) && !want.leaves(diff.path, live) {
			diffs = append(diffs, diff)
		}
	}
	p := &prediction{}
	left, err := d.handmade(ctx, s, m, want, after, live)
	if err != nil {
		return nil, err
	}
	for _, diff := range left {
		p.take = append(p.take, diff.path)
	}
	p.changes = changes(append(diffs, left...), want, before)
	return p, nil
}

// isNote: what the driver notes for itself is not a difference.
func isNote(p fieldpath.Path) bool {
	return len(p) == 3 && p[2].FieldName != nil && (*p[2].FieldName == AnnotationApplied || strings.HasPrefix(*p[2].FieldName, noteImage))
}

// webhookNoise tells a difference that somebody made from one that admission makes anew at every dry-run. If what is
// wanted is what was last applied, then a live value that recsysd still owns is what admission made of it then, and a field
// that recsysd neither declares nor owns is admission's alone. Where a hand has changed a value, recsysd no longer owns it.
type webhookNoise struct {
	same          bool // what is wanted is what was last applied
	before, after *fieldpath.Set
}

func (n webhookNoise) explains(d difference) bool {
	if !n.same {
		return false
	}
	owned, declared := covers(n.before, d.path), covers(n.after, d.path)
	return owned && declared && d.have != nil || !owned && !declared
}

// handmade returns the fields that a hand alone owns and that are not as they would be without it. What they would be is
// seen in a dry-run creation.
func (d *Driver) handmade(ctx context.Context, s *link, m mapping, want Object, after []owner, live map[string]any) ([]difference, error) {
	leaves := hands(d.o.UndoManagers).only(after)
	if leaves.Empty() {
		return nil, nil
	}
	fresh, err := s.trial(ctx, m, want, live)
	if err != nil && ofCluster(err) {
		return nil, err
	}
	plain := map[string]any{} // where no trial is possible, they would not be there
	if err == nil {
		plain = compared(fresh.Object)
	}
	var diffs []difference
	for _, p := range whole(leaves) {
		if want.leaves(p, live) {
			continue
		}
		would, is := at(plain, p), at(live, p)
		if is == nil || empty(would) && empty(is) || len(compare(map[string]any{"": would}, map[string]any{"": is}, nil, false)) == 0 {
			continue
		}
		diffs = append(diffs, difference{p, would, is})
	}
	return diffs, nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// at returns the value at p; nil if there is none.
func at(m map[string]any, p fieldpath.Path) any {
	var v any = m
	for _, e := range p {
		switch {
		case e.FieldName != nil:
			o, _ := v.(map[string]any)
			v = o[*e.FieldName]
		case e.Key != nil:
			l, _ := v.([]any)
			v = nil
			for _, i := range objects(l) {
				if (keyed{element: e}).matches(keyed{item: i}) {
					v = i
				}
			}
		case e.Value != nil:
			l, _ := v.([]any)
			v = nil
			for _, i := range l {
				if i == (*e.Value).Unstructured() {
					v = i
				}
			}
		default:
			return nil
		}
	}
	return v
}
