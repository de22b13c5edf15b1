package gcp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Quota is how often a service lets itself be called.
type Quota struct {
	// Google is what a project has of it in a minute unless somebody asks for more, for reads where reads and writes are counted apart;
	// 0: Google publishes none. Everybody who works in the project draws on the same.
	Google int
	// Own is what this process sends in a minute at most, whatever it has to do. It leaves others at least half of Google's.
	Own int
}

// QuotaOf is a service's, from its page of quotas at cloud.google.com as it stood in 2026: kubernetes-engine/quotas,
// artifact-registry/quotas, storage/quotas, compute/api-quota, iam/quotas, resource-manager/docs/limits, secret-manager/quotas,
// billing/quotas and logging/quotas.
func QuotaOf(service string) Quota {
	switch service {
	case Container:
		return Quota{Google: 3000, Own: 1500}
	case ArtifactRegistry:
		return Quota{Google: 60000, Own: 6000}
	case Storage: // no quota; a bucket takes some 1,000 writes a second, which the emptying of one may come to
		return Quota{Own: 30000}
	case Compute: // per group of methods; the one of lists over all regions was 750 when it was last published by itself
		return Quota{Google: 1500, Own: 375}
	case IAM: // 600 writes are in it
		return Quota{Google: 6000, Own: 600}
	case ResourceManager:
		return Quota{Google: 600, Own: 300}
	case SecretManager: // of versions that are listed; values may be read more often
		return Quota{Google: 600, Own: 300}
	case Billing:
		return Quota{Google: 300, Own: 150}
	case Logging: // entries.list
		return Quota{Google: 60, Own: 30}
	}
	return Quota{Own: 150} // Monitoring and Service Usage: the page sends to the console
}

// Limits keep this process within the quotas of Google's services, and out of the way of one that asks not to be called for a while. One
// is shared by all stacks: each service is called so often in a minute at most by all of them together. It is safe for concurrent use.
//
// Fair between stacks: of each caller one call at a time stands in line for a service, so whoever has a thousand to make delays the
// others by one at a time. What a service asks of one project holds only the calls about that project.
type Limits struct {
	mu       sync.Mutex
	services map[string]*rate.Limiter
	lines    map[[2]string]chan struct{} // by service and caller; held by the call that is next
	pauses   map[[2]string]*pause        // by service and project
}

// pause is what a service has asked for.
type pause struct {
	until time.Time
	asked bool // by the service, in so many words
	in    int  // answers in a row that said so
}

// NewLimits are those of a process that has called nothing yet.
func NewLimits() *Limits {
	return &Limits{services: map[string]*rate.Limiter{}, lines: map[[2]string]chan struct{}{}, pauses: map[[2]string]*pause{}}
}

// longestWait is how long a call waits for its turn: as long as for an answer. A pass goes on without what cannot be asked for so long,
// and says why.
const longestWait = readTimeout

// gate is where the calls of one caller to one service pass. nil lets everything through.
type gate struct {
	limits  *Limits
	limiter *rate.Limiter
	line    chan struct{}
	service string
	key     [2]string // of the pause
}

// gate is the one of c's calls to a service.
func (c Config) gate(service string) *gate {
	l := c.Limits
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.services[service]
	if limiter == nil {
		limiter = newLimiter(QuotaOf(service).Own)
		l.services[service] = limiter
	}
	who := [2]string{service, c.Caller}
	if l.lines[who] == nil {
		l.lines[who] = make(chan struct{}, 1)
	}
	return &gate{limits: l, limiter: limiter, line: l.lines[who], service: service, key: [2]string{service, c.Project}}
}

// newLimiter lets a quarter through at once and the rest evenly, so that no sixty seconds, wherever they begin, see more.
func newLimiter(perMinute int) *rate.Limiter {
	burst := (perMinute + 3) / 4
	return rate.NewLimiter(rate.Limit(float64(perMinute-burst)/60), burst)
}

// wait returns when a call may be sent. Its error says why it may not be, in the time that it has.
func (g *gate) wait(ctx context.Context) error {
	if g == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	select {
	case g.line <- struct{}{}:
		defer func() { <-g.line }()
	case <-ctx.Done():
		return g.refuse(ctx)
	}
	for taken := false; ; {
		if until := g.paused(); time.Until(until) > 0 {
			if deadline, ok := ctx.Deadline(); ok && until.After(deadline) {
				return g.refuse(ctx)
			}
			timer := time.NewTimer(time.Until(until))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return g.refuse(ctx)
			}
			continue
		}
		if taken {
			return nil
		}
		if err := g.limiter.Wait(ctx); err != nil {
			return g.refuse(ctx)
		}
		taken = true
	}
}

// paused is until when the service is not to be called.
func (g *gate) paused() time.Time {
	g.limits.mu.Lock()
	defer g.limits.mu.Unlock()
	if p := g.limits.pauses[g.key]; p != nil {
		return p.until
	}
	return time.Time{}
}

// refuse is why a call was not sent. One that its caller has given up ends as such a call does.
func (g *gate) refuse(ctx context.Context) error {
	if err := ctx.Err(); err == context.Canceled {
		return err
	}
	g.limits.mu.Lock()
	defer g.limits.mu.Unlock()
	why := fmt.Sprintf("recsysd keeps to %d calls a minute, and others were first", QuotaOf(g.service).Own)
	if p := g.limits.pauses[g.key]; p != nil && time.Until(p.until) > 0 {
		why = "it had too many calls"
		if p.asked {
			why = "it asked for that"
		}
		why = fmt.Sprintf("not before %s: %s", p.until.UTC().Format(time.TimeOnly), why)
	}
	return &heldBack{fmt.Sprintf("%s is not called now: %s", g.service, why)}
}

// heldBack is the error of a call that was not sent. It counts as ResourceExhausted to Code, and is not repeated.
type heldBack struct{ text string }

// HeldBack reports whether err is of a call that was not sent, because it was not its turn.
func HeldBack(err error) bool {
	var held *heldBack
	return errors.As(err, &held)
}

func (e *heldBack) Error() string              { return e.text }
func (e *heldBack) GRPCStatus() *status.Status { return status.New(codes.ResourceExhausted, e.text) }

// A pause that the service asks for is kept, within reason. Where it only says that there were too many calls, each further one
// that it refuses after a pause doubles the next.
const (
	firstHold      = time.Second
	longestBackoff = time.Minute
	longestHold    = 10 * time.Minute
)

// answered takes in how a call ended.
func (g *gate) answered(a answer) {
	if g == nil {
		return
	}
	g.limits.mu.Lock()
	defer g.limits.mu.Unlock()
	p := g.limits.pauses[g.key]
	switch {
	case !a.tooMany && a.after == 0:
		if p != nil && a.ok {
			p.in = 0
		}
		return
	case p == nil:
		p = &pause{}
		g.limits.pauses[g.key] = p
	}
	// Whoever is answered while it pauses was sent before that, side by side with the call whose refusal began it: both are one.
	again := time.Until(p.until) <= 0
	length := min(a.after, longestHold)
	if length == 0 && again {
		length = min(firstHold<<min(p.in, 10), longestBackoff)
	}
	if again {
		p.in++
	}
	if until := time.Now().Add(length); until.After(p.until) {
		p.until, p.asked = until, a.after > 0
	}
}
