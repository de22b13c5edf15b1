package kube

import (
	"errors"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/resource"
)

const apiPath = "us-central1-docker.pkg.dev/acme/images/api"

// digests are well-formed, for the API server looks at them no more than a registry's.
func digestOf(tag string) string { return "sha256:" + strings.Repeat(digest(tag)[:16], 4) }

// tagged are tags as a registry lists them, each uploaded an hour after the one before it.
func tagged(names ...string) []image.Tag {
	var all []image.Tag
	for i, n := range names {
		all = append(all, image.Tag{Name: n, Digest: digestOf(n), Uploaded: time.Date(2026, 11, 1, i, 0, 0, 0, time.UTC)})
	}
	return all
}

func policyOf(t testing.TB, text string) image.Policy {
	t.Helper()
	make := image.Versions
	if strings.HasPrefix(text, "main") {
		make = image.Newest
	}
	p, err := make(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// chosen is the test's deployment with a policy for its image. The registry lists tags; without any it is not known.
func (w *world) chosen(manifest, policy string, tags ...image.Tag) Object {
	w.Helper()
	o := w.object(strings.ReplaceAll(manifest, "example.test/api:v1", apiPath))
	o.Images = map[string]image.Choice{"api": {Policy: policyOf(w.TB, policy), Path: apiPath, Tags: tags, Known: tags != nil, Place: "stack.yaml:3:9: workloads.api.image.policy"}}
	if tags == nil {
		c := o.Images["api"]
		c.Trouble = "permission denied"
		o.Images["api"] = c
	}
	return o
}

// restart forgets everything that the driver knows.
func (w *world) restart() {
	w.Helper()
	w.driver, w.faults, w.requests, w.notified = drive(w.TB, w.stack, "recsysd")
	w.kind = resource.NewKind("kube", w.driver)
}

func (w *world) runs(want Object) string {
	w.Helper()
	return reference(w.live(want), "api")
}

// is demands that want shows no difference and runs the tag, pinned.
func (w *world) is(why string, want Object, tag string) resource.Observation {
	w.Helper()
	o := w.see(want)
	if len(o.Diff) > 0 || o.Locked {
		w.Errorf("%s: locked %v, differs in\n%s", why, o.Locked, diffText(o.Diff))
	}
	if got := w.runs(want); got != apiPath+":"+tag+"@"+digestOf(tag) {
		w.Errorf("%s: %s runs, want %s", why, got, tag)
	}
	return o
}

func TestNewTagRolls(t *testing.T) {
	for _, kind := range []string{deploymentYAML, strings.NewReplacer("Deployment", "StatefulSet", "  replicas: 2", "  replicas: 1\n  serviceName: api").Replace(deploymentYAML)} {
		w := newWorld(t)
		first := w.chosen(kind, "^1.0", tagged("1.0.0", "2.0.0")...)
		w.create(first)
		w.is("the newest that matches is made", first, "1.0.0")
		second := w.chosen(kind, "^1.0", tagged("1.0.0", "2.0.0", "1.0.1")...)
		o := w.see(second)
		if len(o.Diff) != 1 || o.Diff[0].Field != "spec.template.spec.containers[api].image" || !strings.Contains(o.Diff[0].Have, ":1.0.0@") || !strings.Contains(o.Diff[0].Want, ":1.0.1@") {
			t.Fatalf("a push is one difference with the old and the new tag; got\n%s", diffText(o.Diff))
		}
		w.update(second, o)
		w.settled(second)
		w.is("the push is taken", second, "1.0.1")
		moved := tagged("1.0.0", "2.0.0", "1.0.1")
		moved[2].Digest = digestOf("elsewhere")
		if o := w.see(w.chosen(kind, "^1.0", moved...)); len(o.Diff) != 1 {
			t.Errorf("a tag that was moved to another image is a difference; got\n%s", diffText(o.Diff))
		}
	}
}

// Whatever happens to the registry, and whatever was forgotten here, what runs is not rolled back.
func TestVanishedTagStays(t *testing.T) {
	for policy, tags := range map[string][]string{"^1.0": {"1.0.0", "1.0.1"}, "main-.*": {"main-2", "main-1"}} {
		w := newWorld(t)
		api := w.chosen(deploymentYAML, policy, tagged(tags...)...)
		w.create(api)
		for _, forget := range []bool{false, true} {
			if forget {
				w.restart()
			}
			for _, c := range []struct {
				why    string
				listed []image.Tag
				notice string
			}{
				{"only an older one is left", tagged(tags[0]), "is not in the registry any more"},
				{"no tag is left", []image.Tag{}, "is not in the registry any more"},
				{"the registry is not known", nil, "permission denied"},
				{"it is there", tagged(tags...), ""},
			} {
				o := w.is(policy+": "+c.why, w.chosen(deploymentYAML, policy, c.listed...), tags[1])
				if got := strings.Join(o.Notices, "\n"); c.notice == "" && got != "" || !strings.Contains(got, c.notice) {
					t.Errorf("%s: %s: told %q, want %q", policy, c.why, got, c.notice)
				}
			}
		}
	}
}

// What a hand puts there is drift, whether the policy would allow it or not, and what was chosen comes back, registry or not.
func TestHandsImageIsDrift(t *testing.T) {
	w := newWorld(t)
	w.create(w.chosen(deploymentYAML, "^1.0", tagged("1.0.0", "1.0.1")...))
	for _, c := range []struct {
		why, hand string
		listed    []image.Tag
	}{
		{"outside the policy", apiPath + ":2.0.0", tagged("1.0.0", "1.0.1")},
		{"another image", "example.test/evil:1.0.9", tagged("1.0.0", "1.0.1")},
		{"newer, and not in the registry", apiPath + ":1.0.9", tagged("1.0.0", "1.0.1")},
		{"newer, while the registry is away", apiPath + ":1.0.9", nil},
		{"older, while the tag that was chosen is gone", apiPath + ":1.0.0", tagged("1.0.0")},
	} {
		w.kubectl("set", "image", "deployment/api", "api="+c.hand)
		w.restart()
		want := w.chosen(deploymentYAML, "^1.0", c.listed...)
		d := w.drifted(want, "spec.template.spec.containers[api].image")
		if len(d) != 1 || d[0].Have != c.hand || d[0].Manager != "kubectl-set" || !strings.Contains(d[0].Want, ":1.0.1@") {
			t.Errorf("%s: got\n%s", c.why, diffText(d))
		}
		w.update(want, w.see(want))
		w.settled(want)
		w.is(c.why, want, "1.0.1")
	}
	w.kubectl("annotate", "--overwrite", "deployment/api", noteImage+"api="+apiPath+":1.9.0")
	w.restart()
	w.is("a hand's note counts for nothing", w.chosen(deploymentYAML, "^1.0", tagged("1.0.0")...), "1.0.1")
}

func TestPolicyOfGitDecides(t *testing.T) {
	w := newWorld(t)
	listed := tagged("1.0.0", "1.4.0", "main-1")
	fixed := w.object(strings.ReplaceAll(deploymentYAML, "example.test/api:v1", apiPath+":1.5.0"))
	w.create(fixed)
	api := w.chosen(deploymentYAML, "^1.0", listed...)
	if o := w.see(api); len(o.Diff) > 0 {
		t.Errorf("a tag that Git named until now, and that is gone, is not given up for an older one; differs in\n%s", diffText(o.Diff))
	}
	lower := w.chosen(deploymentYAML, "<1.2", listed...)
	o := w.see(lower)
	if len(o.Diff) != 1 || !strings.Contains(o.Diff[0].Want, ":1.0.0@") {
		t.Fatalf("a lower range is obeyed; got\n%s", diffText(o.Diff))
	}
	w.update(lower, o)
	w.settled(lower)
	w.is("rolled back as asked", lower, "1.0.0")
	w.restart()
	newest := w.chosen(deploymentYAML, "main-.*", listed...)
	w.update(newest, w.see(newest))
	w.settled(newest)
	w.is("another policy", newest, "main-1")
}

// Without any image to run, nothing is written, and it is said why and where.
func TestUnknownImageWaits(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		why    string
		listed []image.Tag
		says   string
	}{
		{"none pushed", []image.Tag{}, "stack.yaml:3:9: workloads.api.image.policy: there is no image api with a tag yet"},
		{"none matches", tagged("0.1.0", "main"), "no tag of api matches ^1.0; there are: main, 0.1.0"},
		{"not known", nil, "the tags of api are not known: permission denied"},
	} {
		err := w.kind.Create(t.Context(), resource.Of(w.chosen(deploymentYAML, "^1.0", c.listed...)))
		if !errors.Is(err, resource.ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	w.create(w.chosen(deploymentYAML, "^1.0", tagged("1.0.0")...))
	two := w.chosen(deploymentYAML, "^2.0", tagged("1.0.0")...)
	o := w.see(two)
	if !o.Locked || len(o.Diff) != 1 || !strings.Contains(o.Detail, "no tag of api matches ^2.0; there are: 1.0.0") {
		t.Errorf("it waits for a 2.x, and says so; locked %v, %q, differs in\n%s", o.Locked, o.Detail, diffText(o.Diff))
	}
	if err := w.kind.Update(t.Context(), resource.Of(two), o, o.Diff); !errors.Is(err, resource.ErrUnavailable) {
		t.Errorf("nothing can be written: %v", err)
	}
	w.is("meanwhile it runs on", w.chosen(deploymentYAML, "^1.0", tagged("1.0.0")...), "1.0.0")
}

// An object that is made anew, because a field cannot change in place or because a hand removed it, runs what it ran.
func TestMadeAnewRunsTheSame(t *testing.T) {
	w := newWorld(t)
	w.create(w.chosen(deploymentYAML, "^1.0", tagged("1.0.0", "1.0.1")...))
	gone := w.chosen(deploymentYAML, "^1.0", tagged("1.0.0")...)
	if err := w.kind.Delete(t.Context(), w.see(gone), true); err != nil {
		t.Fatal(err)
	}
	w.until("it is gone", func() bool { return w.live(gone) == nil })
	w.create(gone)
	w.is("made anew", gone, "1.0.1")
}

// A pass that finds nothing new costs no request and makes no new manifest.
func TestChosenImageCostsNothing(t *testing.T) {
	w := newWorld(t)
	api := w.chosen(deploymentYAML, "^1.0", tagged("1.0.0")...)
	w.create(api)
	w.is("made", api, "1.0.0")
	w.requests.take()
	w.is("looked at again", api, "1.0.0")
	if asked := w.requests.take(); len(asked) > 0 {
		t.Errorf("a second look asks %v", asked)
	}
}
