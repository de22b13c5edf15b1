package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"recsysd.dev/recsysd/internal/resource"
)

const cronYAML = `{apiVersion: batch/v1, kind: CronJob, metadata: {name: train}, spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "busybox:1"}]}}}}}}`

func asleep(o Object) Object { return o.WithRest(resource.Rest{Asleep: true}) }

// turn brings an object to its wanted form and looks at it.
func (w *world) turn(want Object) resource.Observation {
	w.Helper()
	o := w.see(want)
	if o.Turn() == "" {
		w.Fatalf("%s is to turn, and shows %+v and:\n%s", want, o.Rest, diffText(o.Diff))
	}
	w.update(want, o)
	return w.inForm(want)
}

// inForm waits until an object is settled, and demands that it is in its wanted form without any difference.
func (w *world) inForm(want Object) resource.Observation {
	w.Helper()
	o := w.settled(want)
	if len(o.Diff) > 0 || o.Turn() != "" || o.State != resource.Ready {
		w.Fatalf("%s is %s, wants %+v and shows:\n%s", want, o.State, o.Rest, diffText(o.Diff))
	}
	return o
}

func (w *world) replicas(o Object) int64 {
	w.Helper()
	return count(w.live(o), -1, "spec", "replicas")
}

// Every kind that sleeps does so and wakes as it was declared, stays without a difference in between, and is ready.
func TestSleepAndWake(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		why, manifest   string
		awake, sleeping string // the one field by which it sleeps
		path            []string
	}{
		{"a number of pods comes back from the manifest", deploymentYAML, "2", "0", []string{"spec", "replicas"}},
		{"where the manifest says none, Kubernetes starts one", strings.Replace(strings.Replace(deploymentYAML, "  replicas: 2\n", "", 1), "name: api}", "name: free}", 1), "1", "0", []string{"spec", "replicas"}},
		{"a stateful set", statefulSetYAML, "1", "0", []string{"spec", "replicas"}},
		{"a job that is planned", cronYAML, "false", "true", []string{"spec", "suspend"}},
		{"a job that is suspended anyway", strings.Replace(strings.Replace(cronYAML, "train", "never", 1), "schedule", "suspend: true, schedule", 1), "true", "true", []string{"spec", "suspend"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := *w
			w.TB = t
			field := func(o Object) string { return fmt.Sprint(value(w.live(o), c.path...)) }
			o := w.object(c.manifest)
			w.create(o)
			w.inForm(o)
			if got := field(o); got != c.awake {
				t.Fatalf("awake: %v is %s", c.path, got)
			}
			seen := w.turn(asleep(o))
			if got := field(o); got != c.sleeping || !seen.Asleep {
				t.Errorf("asleep: %v is %s, and it is seen asleep=%v", c.path, got, seen.Asleep)
			}
			if d := w.see(o); d.Turn() != resource.Wake || len(d.Diff) == 0 {
				t.Errorf("wanted awake it shows %q and no more than:\n%s", d.Turn(), diffText(d.Diff))
			}
			seen = w.turn(o)
			if got := field(o); got != c.awake || seen.Asleep || Object(Object{Manifest: w.live(o)}).annotation(AnnotationAsleep) != "" {
				t.Errorf("awake again: %v is %s", c.path, got)
			}
		})
	}
}

// What is absent is made in its sleeping form; a hand on it is drift, as by day.
func TestMadeAsleep(t *testing.T) {
	w := newWorld(t)
	o := asleep(w.object(deploymentYAML))
	w.create(o)
	if seen := w.inForm(o); !seen.Asleep || w.replicas(o) != 0 {
		t.Fatalf("made with %d pods, asleep=%v", w.replicas(o), seen.Asleep)
	}
	w.kubectl("scale", "deployment/api", "--replicas=3")
	d := w.drifted(o, "spec.replicas")
	if d[0].Want != "0" || d[0].Have != "3" || w.see(o).Turn() != "" {
		t.Errorf("a scale in the night: %s", diffText(d))
	}
	w.update(o, w.see(o))
	w.inForm(o)
	if w.replicas(o) != 0 {
		t.Errorf("%d pods", w.replicas(o))
	}
	w.kubectl("annotate", "deployment/api", AnnotationAsleep+"-")
	w.drifted(o, "metadata.annotations["+AnnotationAsleep+"]")
	w.update(o, w.see(o))
	w.inForm(o)
}

// While it sleeps the manifest changes: what wakes is as Git says then, not as it was put to sleep.
func TestWakesAsGitSays(t *testing.T) {
	w := newWorld(t)
	o := w.object(deploymentYAML)
	w.create(o)
	w.turn(asleep(o))
	next := w.object(strings.NewReplacer("replicas: 2", "replicas: 3", "api:v1", "api:v2").Replace(deploymentYAML))
	w.update(asleep(next), w.see(asleep(next)))
	w.inForm(asleep(next))
	if w.replicas(o) != 0 {
		t.Fatalf("a change in the night has woken it: %d pods", w.replicas(o))
	}
	w.turn(next)
	if w.replicas(o) != 3 {
		t.Errorf("it wakes with %d pods", w.replicas(o))
	}
}

// An autoscaler of what sleeps shows no difference, and writes none.
func TestAutoscalerOfWhatSleeps(t *testing.T) {
	w := newWorld(t)
	o := w.object(strings.Replace(deploymentYAML, "  replicas: 2\n", "", 1))
	hpa := w.object(`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: api}, spec: {minReplicas: 2, maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api},
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}}`)
	w.create(o)
	w.create(hpa)
	w.until("the autoscaler has brought it to its least", func() bool { return w.replicas(o) == 2 })
	w.turn(asleep(o))
	w.until("the autoscaler has noticed", func() bool {
		status, reason, _ := condition(w.live(hpa), "ScalingActive")
		return status == "False" && reason == "ScalingDisabled"
	})
	w.inForm(asleep(o))
	if w.replicas(o) != 0 {
		t.Errorf("the autoscaler has woken it: %d pods", w.replicas(o))
	}
	if d := w.see(hpa).Diff; len(d) > 0 {
		t.Errorf("the autoscaler differs:\n%s", diffText(d))
	}
}

// A person's word is kept on the object, holds until its time is over, is no difference, and survives every write of recsysd's.
func TestAPersonsWord(t *testing.T) {
	w := newWorld(t)
	schedule := resource.Rest{Asleep: true, Until: time.Now().Add(8 * time.Hour).Truncate(time.Second), Wakes: time.Now().Add(8 * time.Hour).Truncate(time.Second)}
	o := w.object(deploymentYAML).WithRest(schedule)
	w.create(o)
	w.inForm(o)
	say := func(by resource.Rest) resource.Observation {
		t.Helper()
		if err := w.kind.SetRest(w.Context(), w.see(o), by); err != nil {
			t.Fatal(err)
		}
		return w.see(o)
	}
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	seen := say(resource.Rest{Until: end, ByHand: true})
	if r := seen.Rest; r.Asleep || !r.Until.Equal(end) || !r.ByHand || seen.Turn() != resource.Wake {
		t.Fatalf("woken, it is to be %+v", seen.Rest)
	}
	w.turn(o)
	if w.replicas(o) != 2 {
		t.Errorf("woken with %d pods", w.replicas(o))
	}
	w.hand(o, "kubectl-edit", `{"spec":{"replicas":7}}`)
	w.update(o, w.see(o))
	seen = w.inForm(o)
	if !seen.Rest.ByHand || w.replicas(o) != 2 {
		t.Errorf("a repair has lost the word: %+v, %d pods", seen.Rest, w.replicas(o))
	}
	// Its end needs no write.
	soon := time.Now().Add(2 * time.Second)
	say(resource.Rest{Until: soon, ByHand: true})
	w.until("its time is over", func() bool { return w.see(o).Turn() == resource.Sleep })
	if r := w.see(o).Rest; r.ByHand || !r.Until.Equal(schedule.Until) {
		t.Errorf("after its time the schedule holds: %+v", r)
	}
	// Put to sleep with no end, whatever a later schedule says; and taken back.
	by := o.WithRest(resource.Rest{})
	if r := say(resource.Rest{Asleep: true, ByHand: true}).Rest; !r.Asleep || !r.Until.IsZero() {
		t.Errorf("put to sleep, it is to be %+v", r)
	}
	if r := w.see(by).Rest; !r.Asleep || !r.ByHand {
		t.Errorf("awake by its schedule, asleep by hand: %+v", r)
	}
	if r := say(resource.Rest{}).Rest; r.ByHand {
		t.Errorf("the word is taken back and holds: %+v", r)
	}
	meta := Object{Manifest: w.live(o)}
	if meta.annotation(AnnotationAwakeUntil)+meta.annotation(AnnotationAsleepUntil) != "" {
		t.Error("a word that was taken back is still on the object")
	}
	if err := w.kind.SetRest(w.Context(), w.see(w.service()), resource.Rest{Asleep: true, ByHand: true}); err == nil {
		t.Error("a Service was put to sleep")
	}
}

func (w *world) service() Object {
	o := w.object(serviceYAML)
	w.create(o)
	return o
}

// A word that comes between the look and the write is not written over: what was just woken is not put to sleep.
func TestAWordInBetween(t *testing.T) {
	w := newWorld(t)
	o := w.object(deploymentYAML)
	w.create(o)
	before := w.see(asleep(o))
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	if _, err := w.client(o).Patch(w.Context(), o.Name(), "application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, AnnotationAwakeUntil, until),
		metav1.PatchOptions{FieldManager: restManager}); err != nil {
		t.Fatal(err)
	}
	if err := w.kind.Update(w.Context(), resource.Of(asleep(o)), before, before.Diff); err == nil {
		t.Error("it was put to sleep on an older look")
	}
	if w.replicas(o) != 2 {
		t.Errorf("%d pods", w.replicas(o))
	}
}

func TestWord(t *testing.T) {
	now := time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	for _, c := range []struct {
		why           string
		awake, asleep string
		want          resource.Rest
	}{
		{"nothing said", "", "", resource.Rest{}},
		{"a time that is over says nothing", at(-time.Second), at(0), resource.Rest{}},
		{"nor does one that cannot be read", "tomorrow", "2026-12-25", resource.Rest{}},
		{"awake", at(time.Hour), "", resource.Rest{Until: now.Add(time.Hour), ByHand: true}},
		{"asleep", "", at(time.Hour), resource.Rest{Asleep: true, Until: now.Add(time.Hour), ByHand: true}},
		{"asleep without an end", "", untilWoken, resource.Rest{Asleep: true, ByHand: true}},
		{"awake without an end there is not", untilWoken, "", resource.Rest{}},
		{"of two the longer", at(time.Hour), at(2 * time.Hour), resource.Rest{Asleep: true, Until: now.Add(2 * time.Hour), ByHand: true}},
		{"whichever that is", at(3 * time.Hour), at(2 * time.Hour), resource.Rest{Until: now.Add(3 * time.Hour), ByHand: true}},
		{"one that is over leaves the other", at(-time.Hour), at(time.Hour), resource.Rest{Asleep: true, Until: now.Add(time.Hour), ByHand: true}},
	} {
		if got := word(map[string]string{AnnotationAwakeUntil: c.awake, AnnotationAsleepUntil: c.asleep}, now); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.why, got, c.want)
		}
	}
}

// Where there is no API server to ask, as in the simulator, the forms are compared as they are written.
func TestFormsWithoutAServer(t *testing.T) {
	free := placed(t, strings.Replace(deploymentYAML, "  replicas: 2\n", "", 1), "x", "x")
	fixed := placed(t, deploymentYAML, "x", "x")
	cron := placed(t, cronYAML, "x", "x")
	for _, c := range []struct {
		why        string
		want, live Object
		fields     int
	}{
		{"awake", fixed, fixed, 0},
		{"asleep", asleep(fixed), asleep(fixed), 0},
		{"to sleep", asleep(fixed), fixed, 2},
		{"to wake", fixed, asleep(fixed), 2},
		{"to wake with a number that is not ours", free, asleep(free), 1},
		{"a job to wake that says nothing of suspension", cron, asleep(cron), 1},
		{"a Service never turns", asleep(placed(t, serviceYAML, "x", "x")), placed(t, serviceYAML, "x", "x"), 0},
	} {
		if d := c.want.Diff(c.live); len(d) != c.fields {
			t.Errorf("%s: %d fields differ, want %d:\n%s", c.why, len(d), c.fields, diffText(d))
		}
	}
	if _, ok := fixed.formed()["spec"]; !ok || text(fixed.Manifest, "metadata", "annotations", AnnotationAsleep) != "" {
		t.Error("the manifest was changed")
	}
	if (&unstructured.Unstructured{Object: asleep(fixed).formed()}).GetAnnotations()[AnnotationAsleep] != "true" {
		t.Error("the sleeping form does not say so")
	}
}
