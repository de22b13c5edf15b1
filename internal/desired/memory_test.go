package desired

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// hashed is a tree that knows its files' contents by hash, as a commit does, and counts what is read.
type hashed struct {
	fstest.MapFS
	opened map[string]int
}

type hashedInfo struct {
	fs.FileInfo
	hash string
}

func (i hashedInfo) ContentHash() string { return i.hash }

func (h hashed) Open(name string) (fs.File, error) {
	h.opened[name]++
	return h.MapFS.Open(name)
}

func (h hashed) Lstat(name string) (fs.FileInfo, error) {
	info, err := h.MapFS.Lstat(name)
	if err != nil || info.IsDir() {
		return info, err
	}
	return hashedInfo{info, fmt.Sprintf("%x", sha256.Sum256(h.MapFS[name].Data))}, nil
}

// The same files with a memory of others come to what they come to without one: over random changes to files and to all that their objects
// are made with, one after another.
func TestMemoryChangesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	const object = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {n: \"%d\"}\n"
	contents := func(name string) string {
		switch random.IntN(9) {
		case 0:
			return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things." + name + ".io}\nspec: {group: " + pick("a.io", "b.io") +
				", scope: " + pick("Cluster", "Namespaced") + ", names: {kind: Thing, plural: things}}\n"
		case 1:
			return "apiVersion: " + pick("a.io/v1", "b.io/v1") + "\nkind: Thing\nmetadata: {name: " + name + "}\n"
		case 2:
			return "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {" + pick("a", "b") + ": x}\n"
		case 3, 4:
			return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + pick("", ", annotations: {recsysd.dev/awake: always}") +
				"}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: \"i:1\"}]}}}\n"
		case 5:
			return pick("", "kind: [", "kind: ConfigMap\n", fmt.Sprintf(object, "same", 1))
		}
		return fmt.Sprintf(object, name, random.IntN(3)) + fmt.Sprintf(object, name+"-2", random.IntN(3))
	}
	tree := hashed{fstest.MapFS{}, map[string]int{}}
	o := Options{Memory: new(Memory), Now: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}
	wants, ignored := 0, 0
	var earlier, asItWas *Stack // a pass may hold on to it
	for range 3000 {
		name := fmt.Sprintf("k8s/f%d.yaml", random.IntN(6))
		tree.MapFS[name] = &fstest.MapFile{Data: []byte(contents("f" + name[5:6]))}
		stack := "apiVersion: recsysd.dev/v1alpha1\nkind: Stack\nname: n\nproject: acme\nregion: us-central1\nmanifests: [\"k8s/*.yaml\"]\n"
		stack += pick("", "", "labels: {team: x}\n") + pick("", "", "namespace: other\n") + pick("", "", "protect: false\n") + pick("", "", "mode: observe\n") +
			pick("", "", "schedule: {timezone: UTC, awake: Mon-Fri 08:00-18:00}\n")
		stack += pick("", "", "clusters: {primary: {}}\n", "clusters: {other: {name: b}}\n")
		stack += pick("", "", "ignore: [{on: Deployment/*, fields: [spec.replicas]}, {on: \"ConfigMap/f*\", fields: [data.n]}]\n", "ignore: [{on: \"*/*/f2\", fields: [data]}]\n")
		stack += pick("", "", "workloads:\n  w: {image: \"i:1\", env: {E: {secret: key, key: a}}}\n")
		tree.MapFS["stack.yaml"] = &fstest.MapFile{Data: []byte(stack)}
		o.External = random.IntN(4) > 0 && !strings.Contains(stack, "clusters:")
		o.Offline = !o.External
		o.Now = o.Now.Add(time.Duration(random.IntN(20)) * time.Hour)
		fresh := o
		fresh.Memory = nil
		want, wantErr := Load(tree, "stack.yaml", fresh)
		got, err := Load(tree, "stack.yaml", o)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("with a memory: %v\nwithout: %v", err, wantErr)
		}
		if err == nil {
			wants++
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("with a memory:\n%+v\nwithout:\n%+v", got, want)
			}
			if !reflect.DeepEqual(earlier, asItWas) {
				t.Fatalf("the reading before has become:\n%+v\nfrom:\n%+v", earlier, asItWas)
			}
			earlier, asItWas = got, want
			if slices.ContainsFunc(got.Resources, func(r resource.Resource) bool { return len(r.Ignore) > 0 }) {
				ignored++
			}
		}
	}
	if wants < 150 || ignored < 30 {
		t.Errorf("only %d of the stacks were valid, and %d ignored something: this tests little", wants, ignored)
	}
}

// Of a commit that changes one file nothing else is read, and all other objects are the very ones that were there before.
func TestWhatHasNotChangedIsNotRead(t *testing.T) {
	tree := hashed{crowd(500), map[string]int{}}
	o := Options{External: true, Memory: new(Memory), Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	before, err := Load(tree, "stack.yaml", o)
	if err != nil {
		t.Fatal(err)
	}
	clear(tree.opened)
	file := tree.MapFS["k8s/002.yaml"]
	tree.MapFS["k8s/002.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(string(file.Data), `{n: "250"`, `{n: "251"`, 1))}
	after, err := Load(tree, "stack.yaml", o)
	if err != nil {
		t.Fatal(err)
	}
	for name, times := range tree.opened {
		if strings.HasPrefix(name, "k8s/0") && (name != "k8s/002.yaml" || times != 1) {
			t.Errorf("%s was read %d times", name, times)
		}
	}
	same := func(a, b resource.Resource) bool {
		x, _ := a.Spec.(object)
		y, _ := b.Spec.(object)
		return reflect.ValueOf(x.Manifest).Pointer() == reflect.ValueOf(y.Manifest).Pointer() && x.Billing == y.Billing
	}
	var changed []string
	others := 0
	for i, r := range after.Resources {
		if r.Hash != before.Resources[i].Hash {
			changed = append(changed, r.Ref.Name)
		}
		if !same(r, before.Resources[i]) {
			others++
		}
	}
	if !slices.Equal(changed, []string{"crowd/c-00250"}) || others != 101 { // its file, and the namespace
		t.Errorf("changed are %q, and %d objects are not those of before", changed, others)
	}
	if files := len(o.Memory.files); files != 5 {
		t.Errorf("%d files are remembered", files)
	}
}
