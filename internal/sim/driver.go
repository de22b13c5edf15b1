package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// Driver is the driver of one kind for one stack over a simulated cloud. The ownership mark is kept by the cloud beside the
// spec: a resource is of the stack that created it or, with an update, took it over.
type Driver[S resource.Spec[S]] struct {
	// Entry and Outputs, if set, fill these fields of what is seen.
	Entry   func(S) string
	Outputs func(S) map[string]string

	cloud *Cloud
	stack string
	name  string
}

// NewDriver makes the driver for the stack.
func NewDriver[S resource.Spec[S]](cloud *Cloud, stack string) *Driver[S] {
	return &Driver[S]{cloud: cloud, stack: stack, name: fmt.Sprintf("%T", *new(S))}
}

// Observe lists each Ref.Kind once and reads by name what that did not show.
func (d *Driver[S]) Observe(ctx context.Context, want []S, list bool) (resource.Seen[S], error) {
	var seen resource.Seen[S]
	if err := d.cloud.call(ctx, d.at(Observe, resource.Ref{}), func(time.Time) error { return nil }); err != nil {
		return seen, err
	}
	found := map[resource.Ref]resource.Live[S]{}
	if list {
		unlisted, err := d.list(ctx, want, found)
		if err != nil {
			return seen, err
		}
		seen.Unlisted = unlisted
	}
	for _, w := range want {
		if err := d.get(ctx, w, found); err != nil {
			return seen, err
		}
	}
	d.heed(want, found)
	for _, l := range found {
		seen.Live = append(seen.Live, l)
	}
	slices.SortFunc(seen.Live, func(a, b resource.Live[S]) int { return a.Spec.Ref().Compare(b.Spec.Ref()) })
	return seen, nil
}

// list fills found with what is ours, and with what is wanted, of every Ref.Kind that the driver has to do with.
func (d *Driver[S]) list(ctx context.Context, want []S, found map[resource.Ref]resource.Live[S]) (unlisted map[string]error, err error) {
	wanted := map[resource.Ref]bool{}
	for _, w := range want {
		wanted[w.Ref()] = true
	}
	for _, kind := range d.kinds(want) {
		err := d.cloud.call(ctx, d.at(List, resource.Ref{Kind: kind}), func(now time.Time) error {
			for ref, t := range d.cloud.things {
				if s, ok := t.spec.(S); ok && ref.Kind == kind && (t.owner == d.stack || wanted[ref]) {
					found[ref] = d.live(s, t, now)
				}
			}
			return nil
		})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			if unlisted == nil {
				unlisted = map[string]error{}
			}
			unlisted[kind] = err
		}
	}
	return unlisted, nil
}

// get adds w to found if it exists. What cannot be read is there as unknown.
func (d *Driver[S]) get(ctx context.Context, w S, found map[resource.Ref]resource.Live[S]) error {
	ref := w.Ref()
	if _, ok := found[ref]; ok {
		return nil
	}
	err := d.cloud.call(ctx, d.at(Get, ref), func(now time.Time) error {
		if t := d.cloud.things[ref]; t != nil {
			s, ok := t.spec.(S)
			if !ok {
				return fmt.Errorf("%v is a %T, not a %s", ref, t.spec, d.name)
			}
			found[ref] = d.live(s, t, now)
		}
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		found[ref] = resource.Live[S]{Spec: w, State: resource.Unknown, Detail: err.Error()}
	}
	return nil
}

// kinds are the Ref.Kinds that are wanted, or that there are resources of.
func (d *Driver[S]) kinds(want []S) []string {
	var kinds []string
	for _, w := range want {
		kinds = append(kinds, w.Ref().Kind)
	}
	d.cloud.mu.Lock()
	defer d.cloud.mu.Unlock()
	for ref, t := range d.cloud.things {
		if _, ok := t.spec.(S); ok {
			kinds = append(kinds, ref.Kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

func (d *Driver[S]) live(s S, t *thing, now time.Time) resource.Live[S] {
	l := resource.Live[S]{Spec: clone(s), Owned: t.owner == d.stack, Unprotected: t.unprotected}
	l.State, l.Locked, l.Detail = t.state(now)
	if d.Entry != nil {
		l.Entry = d.Entry(l.Spec)
	}
	if d.Outputs != nil {
		l.Outputs = d.Outputs(l.Spec)
	}
	return l
}

// Create makes want, unless it exists, is not valid, or what it lives in is not usable.
func (d *Driver[S]) Create(ctx context.Context, want S) error {
	want = clone(want)
	call := d.at(Create, want.Ref())
	return d.cloud.write(ctx, Write{Call: call, Spec: want}, func(now time.Time) error {
		if err := d.cloud.mayCreate(now, call, any(want).(anySpec)); err != nil {
			return err
		}
		d.cloud.put(now, any(want).(anySpec), d.stack)
		return nil
	})
}

// Update brings the resource to want, or writes the marks alone if drift is nothing else. What is not ours becomes ours.
func (d *Driver[S]) Update(ctx context.Context, want, live S, drift []resource.Change) error {
	want = clone(want)
	call := d.at(Update, want.Ref())
	return d.cloud.write(ctx, Write{Call: call, Spec: want}, func(now time.Time) error {
		t, err := d.cloud.mayUpdate(now, call, any(want).(anySpec), any(live).(anySpec))
		if err != nil {
			return err
		}
		have, ok := t.spec.(S)
		if !ok {
			return fmt.Errorf("update %v: it is a %T, not a %s", call.Ref, t.spec, d.name)
		}
		next, err := d.next(call, want, have, drift)
		if err != nil {
			return err
		}
		if t.owner == d.stack && len(drift) == 0 {
			d.cloud.violation(call, "there is nothing to change")
		}
		t.spec, t.owner, t.sick = any(next).(anySpec), d.stack, ""
		for _, ch := range drift {
			if ch.Field == resource.FieldUnprotected {
				t.unprotected = ch.Want
			}
		}
		if !marksOnly(drift) {
			delay := d.cloud.Delays[call.Ref.Kind]
			t.idle = now.Add(delay.Update)
			t.started = t.idle.Add(delay.Start)
		}
		return nil
	})
}

// next is what becomes of have.
func (d *Driver[S]) next(call Call, want, have S, drift []resource.Change) (S, error) {
	if marksOnly(drift) {
		var fields []string
		for _, ch := range drift {
			if ch.Field != resource.FieldUnprotected {
				fields = append(fields, ch.Field)
			}
		}
		next, err := mark(want, have, fields)
		if err != nil {
			return have, d.cloud.refuse(call, fmt.Errorf("%w: %w", resource.ErrRejected, err))
		}
		return next, nil
	}
	for _, ch := range want.Diff(have) {
		if ch.Recreate {
			return have, d.cloud.refuse(call, fmt.Errorf("%w: %s cannot be changed", resource.ErrRejected, ch.Field))
		}
	}
	return merge(want, have), nil
}

// Delete begins the removal. What something stands on stays.
func (d *Driver[S]) Delete(ctx context.Context, live S, replace bool) error {
	call := d.at(Delete, live.Ref())
	return d.cloud.write(ctx, Write{Call: call, Spec: clone(live), Replace: replace}, func(now time.Time) error {
		t, err := d.cloud.mayDelete(now, call, any(live).(anySpec), replace)
		if err != nil || t == nil {
			return err
		}
		t.dying, t.gone = now, now.Add(d.cloud.Delays[call.Ref.Kind].Delete)
		for _, part := range d.cloud.standing(call.Ref) {
			if partOf(part, call.Ref) {
				part.dying, part.gone = t.dying, t.gone
			}
		}
		d.cloud.sweep(now)
		return nil
	})
}

func (d *Driver[S]) at(op Op, ref resource.Ref) Call {
	return Call{Stack: d.stack, Driver: d.name, Op: op, Ref: ref}
}

func marksOnly(drift []resource.Change) bool {
	return len(drift) > 0 && !slices.ContainsFunc(drift, func(c resource.Change) bool { return !c.Mark })
}
