package gcp

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Creations remembers the creations that this process has begun and Google has accepted. Whether one succeeds shows minutes later, and if
// it does not, the thing may be gone without a trace: then this is who knows why, and who sees to it that the same attempt is
// not made again at once. Losing it costs a better message and a pause. The zero value is ready; it is safe for concurrent use.
type Creations struct {
	mu sync.Mutex
	by map[string]Creation
}

// Creation is one of them.
type Creation struct {
	Operation string // its name in full
	Location  string
	Began     time.Time
	What      string // has been begun, for people: "creation" if not said

	hash     string // of the spec
	failure  string // how it ended
	failures int    // in a row
	retry    time.Time
}

// The pause after a creation that ended in error doubles up to the longest: each attempt costs Google minutes of work.
const (
	firstPause   = time.Minute
	longestPause = 30 * time.Minute
)

// Ready is nil if the creation of name by the spec with this hash may be begun. Another spec than the one that failed always may.
func (c *Creations) Ready(name, hash string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.by[name]
	if last.failure == "" || last.hash != hash || time.Until(last.retry) <= 0 {
		return nil
	}
	return fmt.Errorf("its %s ended in error: %s; tried again after %s", cmp.Or(last.What, "creation"), last.failure, Clock(last.retry))
}

// Begin remembers that Google has accepted a creation.
func (c *Creations) Begin(name, hash string, begun Creation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun.hash = hash
	if last := c.by[name]; last.hash == hash && last.failure != "" {
		begun.failures = last.failures
	}
	if c.by == nil {
		c.by = map[string]Creation{}
	}
	c.by[name] = begun
}

// Begun is the creation of name in a location that is not known to have ended.
func (c *Creations) Begun(name, location string) (Creation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, ok := c.by[name]
	return last, ok && last.failure == "" && strings.EqualFold(last.Location, location)
}

// Fail remembers how the creation of name ended.
func (c *Creations) Fail(name, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, ok := c.by[name]
	if !ok || last.failure != "" {
		return
	}
	last.failure = strings.Join(strings.Fields(text), " ")
	last.retry = time.Now().Add(min(firstPause<<min(last.failures, 10), longestPause))
	last.failures++
	c.by[name] = last
}

// Failure is how the last creation of name ended; "" if it did not fail.
func (c *Creations) Failure(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[name].failure
}

// Forget says that what was created is there, or was.
func (c *Creations) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.by, name)
}

// Clock is how times of day are shown to people: in UTC, to the minute.
func Clock(t time.Time) string { return t.UTC().Format("15:04") }
