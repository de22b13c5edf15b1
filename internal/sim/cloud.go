// Package sim is a cloud in memory behind the Driver interface of resource: any kind's settings struct can live in it, so a new
// kind comes for free. It is as honest as clouds are: it takes its time, fails, forbids, lets a foreign hand in, and refuses what a
// cloud refuses. The demo, `--cloud sim` and the tests of the engine run on it. It knows no kind, and says nothing about what a
// particular provider fills in or normalises: the drivers' own tests do that.
package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// Cloud is what exists, in all stacks. The zero value is an empty one that answers at once. Set the exported fields
// before the first call; everything else is safe for concurrent use. Time is time.Now, which testing/synctest fakes.
type Cloud struct {
	Delays map[string]Delay // by Ref.Kind
	// OnWrite, if set, is told of every create, update and delete when it is through, before its caller is.
	OnWrite func(Write)

	mu         sync.Mutex
	fault      func(Call) Fault
	things     map[resource.Ref]*thing
	seen       map[Call]int // how often each call was made; the keys have no N
	calls      map[Op]int
	refusals   []string
	violations []string
}

// Delay is how long the cloud takes over something.
type Delay struct {
	Create time.Duration // pending and locked
	Update time.Duration // busy
	Delete time.Duration // pending and locked
	Start  time.Duration // pending after a create or update, and taking writes: a rollout
}

// Op is what a call does.
type Op string

const (
	Observe Op = "observe" // the whole of a driver's look; failed, the kind is blind. The call's Ref is empty
	List    Op = "list"    // of one Ref.Kind; the call's Ref has no name
	Get     Op = "get"
	Create  Op = "create"
	Update  Op = "update"
	Delete  Op = "delete"
	Note    Op = "note" // a person's word, which is no write to what is compared
)

// Call is one call to the cloud.
type Call struct {
	Stack  string
	Driver string // the settings struct, such as bucket.Spec
	Op     Op
	Ref    resource.Ref
	N      int // how many like it were made before
}

// Fault is how a call goes wrong. The zero value lets it through.
type Fault struct {
	Err   error
	After bool // the effect takes place, and Err comes in place of the answer
	Hang  bool // no answer until the caller's context is done; no effect
}

// Write is the account of one create, update or delete.
type Write struct {
	Call
	Owner       string // whose it was before; "" is nobody's that is known to recsysd
	Unprotected string // the mark before
	Spec        any    // as it was wanted; of a delete, as it was
	Had         any    // as it was before; nil: nothing was there
	Replace     bool
	Err         error // of the cloud itself; an answer may be lost although there is none
}

// SetFault has f decide for every call from now on how it goes wrong; nil: none does. f may be called side by side.
func (c *Cloud) SetFault(f func(Call) Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

// Calls is how many calls of these kinds have reached the cloud.
func (c *Cloud) Calls(ops ...Op) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, op := range ops {
		n += c.calls[op]
	}
	return n
}

// Writes is how many creates, updates and deletes have reached the cloud.
func (c *Cloud) Writes() int { return c.Calls(Create, Update, Delete) }

// Refusals are the writes that the cloud refused although its caller could have known better: into what is not there, to what
// takes no writes, of what cannot be changed, from under what stands on it. The first hundred are kept.
func (c *Cloud) Refusals() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.refusals...)
}

// Violations are the writes that the cloud performed and that recsysd must never ask for: removal of what belongs to
// another or is protected, an update that changes nothing. The first hundred are kept.
func (c *Cloud) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.violations...)
}

// call does one call: counts it, lets it go wrong if it is to, and performs effect under the lock.
func (c *Cloud) call(ctx context.Context, call Call, effect func(now time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f := c.next(call)
	if f.Hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.Err != nil && !f.After {
		return f.Err
	}
	if err := c.do(effect); f.Err == nil {
		return err
	}
	return f.Err
}

func (c *Cloud) next(call Call) Fault {
	c.mu.Lock()
	if c.seen == nil {
		c.seen, c.calls = map[Call]int{}, map[Op]int{}
	}
	n := c.seen[call]
	c.seen[call]++
	c.calls[call.Op]++
	f := c.fault
	c.mu.Unlock()
	if f == nil {
		return Fault{}
	}
	call.N = n
	return f(call)
}

func (c *Cloud) do(effect func(now time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.sweep(now)
	return effect(now)
}

// write is call for one that changes something; OnWrite gets w with what was there before.
func (c *Cloud) write(ctx context.Context, w Write, effect func(now time.Time) error) error {
	reached := false
	err := c.call(ctx, w.Call, func(now time.Time) error {
		reached = true
		if t := c.things[w.Ref]; t != nil {
			w.Owner, w.Unprotected, w.Had = t.owner, t.unprotected, clone(t.spec)
		}
		w.Err = effect(now)
		return w.Err
	})
	if reached && c.OnWrite != nil {
		c.OnWrite(w)
	}
	return err
}

// refuse records that the caller could have known, and returns the error.
func (c *Cloud) refuse(call Call, cause error) error {
	err := fmt.Errorf("%s %v: %w", call.Op, call.Ref, cause)
	c.refusals = record(c.refusals, err.Error())
	return err
}

func (c *Cloud) violation(call Call, format string, args ...any) {
	c.violations = record(c.violations, fmt.Sprintf("stack %s: %s %v: ", call.Stack, call.Op, call.Ref)+fmt.Sprintf(format, args...))
}

func record(list []string, s string) []string {
	if len(list) < 100 {
		list = append(list, s)
	}
	return list
}
