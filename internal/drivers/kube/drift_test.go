package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
	"recsysd.dev/recsysd/internal/resource"
)

// drifted waits until want differs in a field, and returns what differs, that first.
func (w *world) drifted(want Object, field string) (d []resource.Change) {
	w.Helper()
	w.until(fmt.Sprintf("%s differs in %s", want, field), func() bool {
		d = w.see(want).Diff
		return slices.ContainsFunc(d, func(c resource.Change) bool { return c.Field == field })
	})
	slices.SortStableFunc(d, func(a, b resource.Change) int {
		switch field {
		case a.Field:
			return -1
		case b.Field:
			return 1
		}
		return 0
	})
	return d
}

// What a person does to a wanted object is seen, told with their name where the API server knows it, and put back.
func TestHandsAreUndone(t *testing.T) {
	const image = "spec.template.spec.containers[api].image"
	cases := []struct {
		why, field, have, manager string
		hand                      []string // kubectl
		patch, as                 string   // or a merge patch by a manager
		untimed                   bool     // the API server notes the manager alone: of the scale subresource it keeps no time
	}{
		{why: "another image", field: image, have: "example.test/api:evil", manager: "kubectl-set",
			hand: []string{"set", "image", "deployment/api", "api=example.test/api:evil"}},
		{why: "another scale, where the manifest says one", field: "spec.replicas", have: "4", manager: "kubectl",
			hand: []string{"scale", "deployment/api", "--replicas=4"}, untimed: true},
		{why: "an added variable, which no dry-run shows", field: "spec.template.spec.containers[api].env[DEBUG]", have: `{"name":"DEBUG","value":"1"}`, manager: "kubectl-set",
			hand: []string{"set", "env", "deployment/api", "DEBUG=1"}},
		{why: "a removed variable", field: "spec.template.spec.containers[api].env[LEVEL]",
			hand: []string{"set", "env", "deployment/api", "LEVEL-"}},
		{why: "the ownership label taken off", field: "metadata.labels[recsysd.dev/stack]",
			hand: []string{"label", "deployment/api", "recsysd.dev/stack-"}},
		{why: "a setting that the manifest leaves to the server", field: "spec.revisionHistoryLimit", have: "3", manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"revisionHistoryLimit":3}}`}},
		{why: "an added container", field: "spec.template.spec.containers[debug]", manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"template":{"spec":{"containers":[{"name":"debug","image":"busybox:1"}]}}}}`}},
		{why: "a list without keys", field: "spec.template.spec.tolerations", manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"template":{"spec":{"tolerations":[{"operator":"Exists"}]}}}}`}},
		{why: "a map that is one value", field: "spec.template.spec.nodeSelector", have: `{"disk":"ssd"}`, manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"template":{"spec":{"nodeSelector":{"disk":"ssd"}}}}}`}},
		{why: "a map that was not there", field: "spec.template.metadata.annotations[example.test/x]", have: "y", manager: "kubectl-patch",
			hand: []string{"patch", "deployment/api", "-p", `{"spec":{"template":{"metadata":{"annotations":{"example.test/x":"y"}}}}}`}},
		{why: "a paused rollout", field: "spec.paused", have: "true", manager: "kubectl-rollout",
			hand: []string{"rollout", "pause", "deployment/api"}},
		{why: "server-side apply by a person", field: image, have: "example.test/api:ssa", manager: "kubectl",
			patch: `{"spec":{"template":{"spec":{"$setElementOrder/containers":[],"containers":[{"name":"api","image":"example.test/api:ssa"}]}}}}`, as: "apply"},
		{why: "an annotation, which is a setting", field: "metadata.annotations[example.test/lb]", have: "internal", manager: "kubectl-annotate",
			hand: []string{"annotate", "deployment/api", "example.test/lb=internal"}},
		{why: "a manager that the configuration names", field: "spec.minReadySeconds", have: "9", manager: "intern",
			patch: `{"spec":{"minReadySeconds":9}}`, as: "intern"},
	}
	w := newWorld(t)
	api := w.object(deploymentYAML)
	w.create(api)
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			w := *w
			w.TB = t
			switch {
			case c.as == "apply":
				w.ssa(api, "kubectl", "example.test/api:ssa")
			case c.as != "":
				w.hand(api, c.as, c.patch)
			default:
				w.kubectl(c.hand...)
			}
			d := w.drifted(api, c.field)
			known := c.manager != "" && c.field != "spec.replicas" // of a scale the API server keeps no time
			if now := time.Now(); known && (now.Sub(d[0].At) > time.Minute || d[0].At.After(now.Add(time.Second))) || !known && !d[0].At.IsZero() {
				t.Errorf("it was done just now, and is said to have been at %v", d[0].At)
			}
			if len(d) != 1 || c.have != "" && d[0].Have != c.have || d[0].Manager != c.manager {
				t.Errorf("want %s alone, have %q, by %q; got\n%s", c.field, c.have, c.manager, diffText(d))
			}
			if known := time.Since(d[0].At) < time.Minute; c.manager != "" && known == c.untimed {
				t.Errorf("it is told of %s that it was %s that set it, and at %s", c.field, c.manager, d[0].At)
			}
			o := w.see(api)
			if !o.Owned {
				t.Error("it is ours, whatever was done to it")
			}
			mark := control.Mark()
			w.update(api, o)
			w.settled(api)
			if d := w.see(api).Diff; len(d) > 0 {
				t.Errorf("after the repair it still differs in\n%s", diffText(d))
			}
			writes, err := control.Writes(kubetest.Recsysd, mark)
			writes = slices.DeleteFunc(writes, func(r kubetest.Request) bool { return r.Code == 409 }) // refused, and done anew
			if err != nil || len(writes) > 2 {
				t.Errorf("a repair takes one write, or two where a field changes owner; made %v %v", writes, err)
			}
		})
	}
}

// What is not a person's change of something declared or set is left as it is, also by our own next write.
func TestOthersAreLeft(t *testing.T) {
	undeclared := strings.Replace(deploymentYAML, "  replicas: 2\n", "", 1)
	cases := []struct {
		why  string
		hand func(w *world, o Object)
		kept []string // path and value that must survive our next write
	}{
		{"an annotation of another manager", func(w *world, o Object) {
			w.hand(o, "some-operator", `{"metadata":{"annotations":{"example.test/by":"operator"}}}`)
		}, []string{"operator", "metadata", "annotations", "example.test/by"}},
		{"a label of whoever put it", func(w *world, o Object) { w.kubectl("label", "deployment/api", "team=ml") },
			[]string{"ml", "metadata", "labels", "team"}},
		{"a status", func(w *world, o Object) {
			w.hand(o, "kubectl", `{"status":{"conditions":[{"type":"Available","status":"False","reason":"x"}]}}`, "status")
		}, nil},
		{"an autoscaler's scale", func(w *world, o Object) {
			w.hand(o, "kube-controller-manager", `{"spec":{"replicas":3}}`, "scale")
		}, []string{"3", "spec", "replicas"}},
		{"a person's scale where the manifest says none", func(w *world, o Object) { w.kubectl("scale", "deployment/api", "--replicas=2") },
			[]string{"2", "spec", "replicas"}},
		{"a person's edit of the scale where the manifest says none", func(w *world, o Object) {
			w.kubectl("patch", "deployment/api", "-p", `{"spec":{"replicas":2}}`)
		}, []string{"2", "spec", "replicas"}},
		{"a restart", func(w *world, o Object) { w.kubectl("rollout", "restart", "deployment/api") },
			[]string{"", "spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"}},
		{"a field that another manager set", func(w *world, o Object) {
			w.hand(o, "some-operator", `{"spec":{"minReadySeconds":1}}`)
		}, []string{"1", "spec", "minReadySeconds"}},
	}
	for _, c := range cases {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t)
			api := w.object(undeclared)
			w.create(api)
			c.hand(w, api)
			w.caughtUp(api, text(w.live(api), "metadata", "resourceVersion"))
			if o := w.see(api); len(o.Diff) > 0 {
				t.Errorf("it is no drift, and is reported:\n%s", diffText(o.Diff))
			}
			changed := w.object(strings.ReplaceAll(undeclared, "api:v1", "api:v2"))
			w.update(changed, w.see(changed))
			if c.kept == nil {
				return
			}
			if got := fmt.Sprint(value(w.live(api), c.kept[1:]...)); c.kept[0] != "" && got != c.kept[0] || got == "<nil>" {
				t.Errorf("after our own update %v is %s, not %s", c.kept[1:], got, c.kept[0])
			}
		})
	}
}

// A daemon that dies between the two writes of a repair leaves a field that is now its own: the next one finishes.
func TestRepairCutInHalf(t *testing.T) {
	w := newWorld(t)
	api := w.object(deploymentYAML)
	w.create(api)
	w.kubectl("set", "env", "deployment/api", "DEBUG=1")
	w.drifted(api, "spec.template.spec.containers[api].env[DEBUG]")
	w.faults.forbid(w.driver, func() { w.faults.deny = denyApplies })
	o := w.see(api)
	if err := w.kind.Update(t.Context(), resource.Of(api), o, o.Diff); err == nil {
		t.Fatal("the apply was to fail")
	}
	w.faults.forbid(w.driver, func() { w.faults.deny = nil })
	w.driver, w.faults, w.requests, w.notified = drive(t, w.stack, kubetest.Recsysd)
	w.kind = resource.NewKind("kube", w.driver)
	d := w.drifted(api, "spec.template.spec.containers[api].env[DEBUG]")
	w.update(api, w.see(api))
	if left := w.settled(api).Diff; len(left) > 0 {
		t.Errorf("of\n%sthis is left:\n%s", diffText(d), diffText(left))
	}
}
