package bucket

import (
	"context"
	"time"
)

// EmptyFor shortens the time that one Delete spends on objects.
func (d *Driver) EmptyFor(t time.Duration) { d.emptyFor = t }

// Measured waits until the question about sizes has its answer.
func (d *Driver) Measured() { d.sizes.asking.Wait() }

// SizesForTest has a look at the sizes of one bucket, of a Cloud Monitoring that counts.
func SizesForTest(ctx context.Context, asked func()) (look func()) {
	s := &sizes{ctx: ctx, answer: func([]string, time.Time) (map[string]map[string]int64, error) {
		asked()
		return nil, nil
	}}
	return func() { s.look([]string{"acme-a"}, true) }
}

// SizesDue makes it time for the next question.
func (d *Driver) SizesDue() {
	d.sizes.mu.Lock()
	defer d.sizes.mu.Unlock()
	d.sizes.next = time.Time{}
}
