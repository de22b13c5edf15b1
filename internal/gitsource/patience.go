package gitsource

import (
	"context"
	"fmt"
	"time"
)

// errSilent is why a conversation was given up.
type errSilent time.Duration

func (e errSilent) Error() string { return fmt.Sprintf("no answer for %s", time.Duration(e)) }

type patienceKey struct{}

// withPatience bounds a conversation by silence: it ends once nothing has arrived for d, and in any case after 20 d, so
// that a server that drips one byte at a time cannot hold it for ever.
func withPatience(ctx context.Context, d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ctx, cancelAll := context.WithTimeoutCause(ctx, 20*d, fmt.Errorf("not done after %s", 20*d))
	timer := time.AfterFunc(d, func() { cancel(errSilent(d)) })
	ctx = context.WithValue(ctx, patienceKey{}, func() { timer.Reset(d) })
	return ctx, func() {
		timer.Stop()
		cancelAll()
		cancel(nil)
	}
}

// progress tells that something arrived.
func progress(ctx context.Context) {
	if touch, ok := ctx.Value(patienceKey{}).(func()); ok {
		touch()
	}
}
