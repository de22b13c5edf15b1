package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// driftView is what `recsysd drift -o json` says.
type driftView struct {
	Resources []struct {
		Kind, Name, Held, Done, Why string
		Since                       time.Time
		Drift                       []change
		Fights                      []struct{ Field, Rival string }
		USDPerMonth                 *float64
	}
}

// rival scales a Deployment every second, under a manager of its own, until the returned function is called.
func (w *world) rival(deployment, manager string, replicas int) (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	var loop sync.WaitGroup
	loop.Go(func() {
		for ctx.Err() == nil {
			_, err := kube.Kubectl(ctx, kubetest.Admin, "-n", w.stack, "patch", "deployment", deployment, "--field-manager="+manager,
				"-p", fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas))
			if exit := new(exec.ExitError); err != nil && ctx.Err() == nil && !errors.As(err, &exit) {
				w.Errorf("the rival: %v", err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	return func() { cancel(); loop.Wait() }
}

// A loop that sets a field every second is left alone after the third correction: the rival is named, nothing more is written, what else
// differs is repaired, and the rule that is suggested ends it.
func TestFight(t *testing.T) {
	w := newWorld(t, "e2e-fight")
	stack := w.bare("  api: {image: \"nginx:1.26\", port: 80, cpu: 100m, memory: 64Mi, replicas: 1}\n")
	commit := w.push("the stack", stack)
	w.start()
	w.eventually("it converges", w.converged(commit))
	label := fmt.Sprintf("kind=%q", "Deployment")
	began := kube.Mark()
	stop := w.rival("api", "scaler", 4)
	defer stop()
	w.eventually("the field is left alone, and the rival named", func() error {
		v, err := ask[driftView](w, "drift")
		if err != nil {
			return err
		}
		if len(v.Resources) != 1 || len(v.Resources[0].Fights) != 1 || v.Resources[0].Fights[0].Field != "spec.replicas" ||
			v.Resources[0].Fights[0].Rival != "scaler" || !strings.Contains(v.Resources[0].Held, "ignore: [{fields: [spec.replicas], on: Deployment/e2e-fight/api}]") {
			return fmt.Errorf("drift says %+v", v)
		}
		if r := v.Resources[0]; r.Done != "fought" || r.Why != "scaler" {
			return fmt.Errorf("what was done about it: %s, %s", r.Done, r.Why)
		}
		n, err := w.metric("recsysd_drift_fights", label)
		return errors.Join(err, same(n, 1))
	})
	if n, err := w.metric("recsysd_drift_corrected_total", label); err != nil || n != 3 {
		t.Errorf("corrected %v times, %v; want 3", n, err)
	}
	writes, err := kube.Writes(kubetest.Recsysd, began)
	if err != nil || len(writes) < 3 || len(writes) > 12 {
		t.Errorf("%d writes for three corrections, %v", len(writes), err)
	}
	mark := kube.Mark()
	passes, err := w.metric("recsysd_passes_total")
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("more passes are made", func() error {
		now, err := w.metric("recsysd_passes_total")
		if err == nil && now < passes+3 {
			err = fmt.Errorf("%v passes", now-passes)
		}
		return err
	})
	if writes, err := kube.Writes(kubetest.Recsysd, mark); err != nil || len(writes) > 0 {
		t.Errorf("while it is left alone the daemon wrote %v, %v", writes, err)
	}

	w.kubectl("set", "image", "deployment/api", "*=nginx:1.27")
	w.eventually("another field of the same object is put back", func() error {
		return same(w.at("deployment/api", ".spec.template.spec.containers[0].image"), "nginx:1.26")
	})
	if n := w.at("deployment/api", ".spec.replicas"); n != "4" {
		t.Errorf("that has set the field which is left alone to %s", n)
	}

	rule, err := w.recsysd("drift", w.stack, "--suggest-ignores")
	if err != nil {
		t.Fatal(err)
	}
	commit = w.push("the suggested rule", stack+rule)
	w.eventually("the rule ends it", w.converged(commit))
	if v, err := ask[driftView](w, "drift"); err != nil || len(v.Resources) > 0 {
		t.Errorf("with the rule: %+v, %v", v, err)
	}
	if n := w.at("deployment/api", ".spec.replicas"); n != "4" {
		t.Errorf("the rule has set the field to %s", n)
	}
	stop()
}
