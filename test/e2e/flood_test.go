package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whatever is sent to the receiver of hooks, and however much of it: it is answered, the work that follows is bounded, memory stays as it is,
// and a push is still seen. The counts are the client's, the daemon's metric, and those of the Git server, which is asked for a look.
func TestFloodOfWebhooks(t *testing.T) {
	w := newWorld(t, "e2e-flood")
	w.level = "info"
	stack := w.hooked()
	first := w.push("the stack", stack)
	w.start()
	w.eventually("it converges", w.converged(first))
	large := bytes.Repeat([]byte("x"), 30<<20)
	for _, c := range []struct {
		reason string
		q      *http.Request
		code   int
	}{
		{"a body larger than any host sends", w.signed(w.stack, hookSecret, large), http.StatusRequestEntityTooLarge},
		{"the signature of another secret", w.signed(w.stack, "the secret of somebody else", []byte("{}")), http.StatusUnauthorized},
		{"no JSON, and rightly signed: a hint like any other", w.signed(w.stack, hookSecret, []byte("]\x00{")), http.StatusAccepted},
	} {
		answer, err := http.DefaultClient.Do(c.q)
		if err != nil { // it may stop listening to a body before that is sent
			if c.code != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: %v", c.reason, err)
			}
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != c.code {
			t.Errorf("%s: %d, want %d", c.reason, answer.StatusCode, c.code)
		}
	}
	before := resident(t, w.daemon)
	w.git.Reset()
	began := time.Now()
	codes := w.flood(5*time.Second, 1000)
	took := time.Since(began)
	listings := w.git.Reset().Listings
	t.Logf("in %s: %v, %d looks at Git, %.0f MiB before and %.0f MiB after", took, codes, listings, before, resident(t, w.daemon))

	accepted, refused := codes[http.StatusAccepted], codes[http.StatusTooManyRequests]
	if refused < 500 || accepted == 0 || accepted > 20+int(5*took.Seconds())+1 || accepted+refused+codes[http.StatusUnauthorized] != codes[0] {
		t.Errorf("answers: %v", codes)
	}
	if most := int(took.Seconds()) + 3; listings > most { // one a second
		t.Errorf("%d looks at Git, at most %d were to be", listings, most)
	}
	if after := resident(t, w.daemon); after > before+24 {
		t.Errorf("resident are %.0f MiB, were %.0f before", after, before)
	}
	w.eventually("the metric has them all", func() error {
		n, err := w.metric("recsysd_webhook_requests_total", `code="429"`)
		if err == nil && int(n) < refused {
			err = fmt.Errorf("%v of %d", n, refused)
		}
		return err
	})
	if n := strings.Count(w.daemon.tail(), "webhook refused"); n > 10 {
		t.Errorf("the log has %d lines of it", n)
	}
	second := w.push("versions are kept", strings.Replace(stack, "false", "true", 1))
	w.eventually("a hook is accepted again", func() error { return same(w.hook(w.stack, hookSecret), http.StatusAccepted) })
	w.eventually("the push is seen by it", w.converged(second))
}

// flood sends hooks for a while, at so many a second as far as the machine can, every other one with a wrong signature, and returns how many were
// answered by each code; 0: all.
func (w *world) flood(d time.Duration, perSecond int) map[int]int {
	w.Helper()
	codes := map[int]int{}
	var mu sync.Mutex
	var senders sync.WaitGroup
	ctx := w.Context()
	const parallel = 20
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: parallel}}
	defer client.CloseIdleConnections()
	template := []*http.Request{w.signed(w.stack, hookSecret, nil), w.signed(w.stack, "the secret of somebody else", nil)}
	for range parallel {
		senders.Go(func() {
			mine := map[int]int{}
			tick := time.NewTicker(parallel * time.Second / time.Duration(perSecond))
			defer tick.Stop()
			for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
				answer, err := client.Do(template[mine[0]%2].Clone(ctx))
				if err != nil {
					w.Error(err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				mine[answer.StatusCode]++
				mine[0]++
			}
			mu.Lock()
			defer mu.Unlock()
			for code := range maps.Keys(mine) {
				codes[code] += mine[code]
			}
		})
	}
	senders.Wait()
	return codes
}
