package reconcile

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// pace says when a resource may be written again, and what is not to be tried again at all.
type pace struct {
	mu      sync.Mutex
	written map[resource.Ref]time.Time // our last write
	failed  map[resource.Ref]retry
	refused map[resource.Ref]refusal
	repairs map[resource.Ref]bool // written and not seen in sync since
}

type retry struct {
	times int
	at    time.Time // not before
	cause error
}

// postponed is the error of a step that waits out a delay after a failure: it waits, and it fails.
type postponed struct {
	until time.Time
	cause error
}

func (e postponed) Error() string {
	return fmt.Sprintf("not again before %s: %v", e.until.Format(time.TimeOnly), e.cause)
}

func (e postponed) Unwrap() []error { return []error{resource.ErrUnavailable, e.cause} }

// refusal is the situation in which a provider said that it will never take a spec.
type refusal struct {
	commit, form, version string
	why                   string
}

func newPace() *pace {
	return &pace{
		written: map[resource.Ref]time.Time{}, failed: map[resource.Ref]retry{},
		refused: map[resource.Ref]refusal{}, repairs: map[resource.Ref]bool{},
	}
}

// due says when ref may be written: not sooner than gap after its last write, nor before its next retry.
func (p *pace) due(ref resource.Ref, gap time.Duration) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.failed[ref].at
	if w, ok := p.written[ref]; ok && w.Add(gap).After(at) {
		at = w.Add(gap)
	}
	return at
}

// fail lets the next attempt wait: longer each time, and never for two resources alike.
func (p *pace) fail(ref resource.Ref, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.failed[ref]
	delay := min(lastRetry, firstRetry<<min(f.times, 16))
	delay = time.Duration(float64(delay) * (0.8 + 0.4*rand.Float64()))
	p.failed[ref] = retry{f.times + 1, time.Now().Add(delay), cause}
}

// failure is what ref failed with, if it is not to be tried again yet because of that.
func (p *pace) failure(ref resource.Ref) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.failed[ref]; time.Now().Before(f.at) {
		return f.cause
	}
	return nil
}

// failing is how ref failed last, if it has not succeeded since.
func (p *pace) failing(ref resource.Ref) (retry, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, failed := p.failed[ref]
	return f, failed
}

// busy reports whether anything has failed or was refused, and is not known to be well.
func (p *pace) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.failed)+len(p.refused)+len(p.repairs) > 0
}

// write notes an attempt to write.
func (p *pace) write(ref resource.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written[ref] = time.Now()
	p.repairs[ref] = true
}

// succeed forgets earlier failures.
func (p *pace) succeed(ref resource.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failed, ref)
	delete(p.refused, ref)
}

// refuse remembers a refusal for as long as nothing of the situation changes.
func (p *pace) refuse(ref resource.Ref, f refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused[ref] = f
}

// wrote reports whether ref was written since it was last settled.
func (p *pace) wrote(ref resource.Ref) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.repairs[ref]
}

// settle notes that ref is in sync: there is nothing to be tried, nor to be refused.
func (p *pace) settle(ref resource.Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.repairs, ref)
	delete(p.failed, ref)
	delete(p.refused, ref)
}

// keep forgets all but what is left. A write is remembered for as long as it keeps another one of the same name waiting.
func (p *pace) keep(left func(resource.Ref) bool, gap time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.failed, func(ref resource.Ref, _ retry) bool { return !left(ref) })
	maps.DeleteFunc(p.refused, func(ref resource.Ref, _ refusal) bool { return !left(ref) })
	maps.DeleteFunc(p.repairs, func(ref resource.Ref, _ bool) bool { return !left(ref) })
	maps.DeleteFunc(p.written, func(ref resource.Ref, at time.Time) bool { return !left(ref) && time.Since(at) >= gap })
}

// hurry lets everything be tried at once that only waits out a delay after failures.
func (p *pace) hurry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.failed)
}

// rejected are the refusals that still hold: same commit, same spec in the same form, same live resource.
func (p *pace) rejected(commit string, want []resource.Resource, found []resource.Observation) map[resource.Ref]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refused) == 0 {
		return nil
	}
	now, seen := map[resource.Ref]refusal{}, map[resource.Ref]resource.Observation{}
	for _, o := range found {
		now[o.Ref], seen[o.Ref] = refusal{commit: commit, version: o.Version}, o
	}
	for _, w := range want {
		now[w.Ref] = refusal{commit: commit, form: form(w, seen[w.Ref]), version: seen[w.Ref].Version}
	}
	still := map[resource.Ref]string{}
	for ref, f := range p.refused {
		if n := now[ref]; n.commit == f.commit && n.form == f.form && n.version == f.version {
			still[ref] = f.why
		}
	}
	return still
}
