package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// The daemon is killed after each mutating call has had its effect and before it hears of it, one call after another. It must
// end where it would have ended anyway, with nothing made twice and nothing left over.
func TestKilledAfterEveryCall(t *testing.T) {
	w := newWorld(t, "e2e-kill")
	w.configure("width: 1\n") // one call at a time, so that none slips through beside the one that is cut off
	k := &killer{killed: map[string]bool{}, dead: make(chan string)}
	w.google.OnCall(func(c gcptest.Call, phase gcptest.Phase) {
		if phase == gcptest.After && c.Write {
			k.kill(c.Method + " " + c.Target)
		}
	})
	w.kube.OnAnswer(func(r *http.Request, _ *http.Response) {
		if r.Method != http.MethodGet && r.URL.Query().Get("dryRun") == "" {
			k.kill(r.Method + " " + r.URL.Path)
		}
	})
	k.survive(w, w.push("the stack", w.example()))
	if len(k.order) < 20 {
		t.Errorf("only %d calls were cut off, of the many that make the stack: %v", len(k.order), k.order)
	}
	w.seedCloud()
	w.seedWorkloads()
	made := map[string]int{}
	for _, c := range w.google.Writes() {
		made[c.Method]++
	}
	for _, method := range []string{"CreateCluster", "CreateRepository", "storage.buckets.insert"} {
		if made[method] != 1 {
			t.Errorf("%s had its effect %d times, want once", method, made[method])
		}
	}
	if names := w.kubectl("get", "deployment,statefulset,pvc", "-o", "jsonpath={.items[*].metadata.name}"); names != "api mlflow redis postgres postgres-data" {
		t.Errorf("the cluster holds %s", names)
	}
	w.quiet()

	// The same while the stack is changed, and parts of it are removed.
	calls := len(k.order)
	clear(k.killed)
	changed := edit(t, w.example(), `team: ml`, "team: search")
	changed = edit(t, changed, `(?m)^    releaseChannel: regular`, "    releaseChannel: stable")
	changed = edit(t, changed, `ageDays: 90`, "ageDays: 30")
	changed = edit(t, changed, `(?ms)^  redis:\n.*?\n\n`, "")
	changed = edit(t, changed, `uses: \[postgres, redis, mlflow\]`, "uses: [postgres, mlflow]")
	changed = edit(t, changed, `(?m)^    storage: \[\{bucket: data, prefix: models.*\n`, "")
	k.survive(w, w.push("another stack", changed))
	if len(k.order) < calls+8 {
		t.Errorf("only these calls were cut off while the stack changed: %v", k.order[calls:])
	}
	if team, channel := w.google.Cluster(clusterName).GetResourceLabels()["team"], w.google.Cluster(clusterName).GetReleaseChannel().GetChannel().String(); team != "search" || channel != "STABLE" {
		t.Errorf("the cluster's team is %s and its channel %s", team, channel)
	}
	if names := w.kubectl("get", "deployment,statefulset,pvc", "-o", "jsonpath={.items[*].metadata.name}"); names != "api mlflow postgres postgres-data" {
		t.Errorf("the cluster holds %s", names)
	}
	if grants := w.grants(); len(grants) != 1 {
		t.Errorf("the grants are %v, want mlflow's alone", grants)
	}
	w.quiet()
	t.Logf("killed %d times: %s", len(k.order), strings.Join(k.order, ", "))
}

// survive starts the daemon as often as it is killed, until commit has converged.
func (k *killer) survive(w *world, commit string) {
	w.Helper()
	deadline := time.After(5 * time.Minute)
	for {
		if w.daemon == nil || w.daemon.gone() {
			w.start()
		}
		k.hunt(w.daemon)
		converged, stop := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(converged)
			for w.converged(commit)() != nil {
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		}()
		select {
		case <-k.dead:
			close(stop)
			<-converged
		case <-converged:
			k.hunt(nil)
			return
		case <-deadline:
			close(stop)
			w.Fatalf("not converged after %d kills: %v\n%s", len(k.killed), k.order, w.account())
		}
	}
}

// killer kills the daemon it hunts, once for every call.
type killer struct {
	mu     sync.Mutex
	prey   *daemon
	killed map[string]bool
	order  []string
	dead   chan string
}

func (k *killer) hunt(d *daemon) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.prey = d
}

func (k *killer) kill(call string) {
	k.mu.Lock()
	prey := k.prey
	again := k.killed[call] || prey == nil
	if !again {
		k.killed[call], k.prey = true, nil
		k.order = append(k.order, call)
	}
	k.mu.Unlock()
	if again {
		return
	}
	prey.kill()
	k.dead <- fmt.Sprint("killed after ", call)
}
