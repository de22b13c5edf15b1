package desired

import (
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/desired/workload"
	"recsysd.dev/recsysd/internal/resource"
)

// addWorkloads takes in the workloads' objects, and gives the buckets the grants that the workloads' storage asks for: so it comes
// before the cloud's own entries.
func (b *builder) addWorkloads(manifests []manifestFile) {
	b.addIdentities()
	b.checkCircles()
	for _, name := range sortedKeys(b.file.Workloads) {
		e, path := b.file.Workloads[name], joined("workloads", name)
		b.checkKey(path, name)
		b.p.addValidation(e.Workload.Validate(), path, b.places)
		b.checkSecrets(e.Workload, path, manifests)
		setting, after := b.setting(name, path)
		b.grantRoles(name)
		b.ran(name, setting.Image)
		objects := e.Workload.Objects(setting)
		from := origin{entry: path, path: path, at: b.at(path), handling: e.Handling, schedule: b.schedules.workloads[name]}
		for i, m := range objects {
			o := object{Manifest: m, Cluster: b.cluster, Images: imagesOf(m, setting.Image, b.chosen[path])}
			last := i == len(objects)-1 // what runs the pods
			if last {
				o.Floor = e.Workload.Floor()
			}
			if runsPods(m) {
				o.Awaits = b.awaited(e.Workload)
			}
			r := b.object(o, from)
			if last {
				r.Needs = append(r.Needs, after...)
			}
			r.InheritsFirst = r.Ref.Kind == "PersistentVolumeClaim"
			at := from.at
			if r.InheritsFirst {
				at = b.at(path + ".disk.size") // what may be refused of a claim is its size
			}
			b.add(r, at, path)
		}
	}
	b.addNodes()
}

// namespace is where workloads, secrets and manifests without one of their own go.
func (b *builder) namespace() string {
	if b.file.Namespace != "" {
		return b.file.Namespace
	}
	return b.file.Name
}

// setting looks up what a workload names, and returns with it what must be there before the pods: order, no more.
func (b *builder) setting(name, path string) (workload.Setting, []resource.Need) {
	w := b.file.Workloads[name].Workload
	s := workload.Setting{Stack: b.file.Name, Namespace: b.namespace(), Name: name, Secrets: b.revisions(w)}
	var after []resource.Need
	need := func(r resource.Ref) { after = append(after, resource.Need{Ref: r}) }

	image, registry := b.image(w.Image, path)
	s.Image = image
	if registry != nil {
		need(*registry)
	}
	if s.Google = b.actsAs(name); s.Google != "" {
		need(identitySpec{Name: w.ServiceAccount.Google}.Ref())
	}
	for i, other := range w.Uses {
		at := indexed(path+".uses", i)
		peer := b.file.Workloads[other]
		switch {
		case peer == nil:
			b.p.add(b.at(at), at, "no workload %q%s", other, suggest(other, sortedKeys(b.file.Workloads)))
		case slices.Contains(w.Uses[:i], other):
			b.p.add(b.at(at), at, "%q stands here twice", other)
		case other == name: // a circle of one: see checkCircles
		case peer.Workload.Port == 0:
			b.p.add(b.at(at), at, "workload %q has no port to be reached on", other)
		default:
			s.Uses = append(s.Uses, workload.Peer{Name: other, Port: peer.Workload.Port})
			need(b.runs(other))
		}
	}
	for _, other := range sortedKeys(b.file.Workloads) {
		if slices.Contains(b.file.Workloads[other].Workload.Uses, name) {
			s.UsedBy = append(s.UsedBy, other)
		}
	}
	for i, use := range w.Storage {
		at := indexed(path+".storage", i)
		e := b.file.Cloud.Buckets[use.Bucket]
		if e == nil {
			if use.Bucket != "" {
				b.p.add(b.at(at+".bucket"), at+".bucket", "no bucket %q in buckets%s", use.Bucket, suggest(use.Bucket, sortedKeys(b.file.Cloud.Buckets)))
			}
			continue
		}
		s.Buckets = append(s.Buckets, workload.Bucket{Key: use.Bucket, Name: e.Spec.Name, Prefix: use.Prefix})
		if strings.HasPrefix(use.Prefix, "/") {
			continue // said of the workload; the bucket would say it again
		}
		if !b.allow(e, b.principal(name), use.Role(), use.Prefix) {
			b.p.add(b.at(at), at, "the same access stands here twice")
			continue
		}
		need(e.Spec.Ref())
	}
	b.backup(&s, name, path)
	return s, compactNeeds(after)
}

// runs is the object that runs a workload's pods.
func (b *builder) runs(name string) resource.Ref {
	kind := "Deployment"
	if b.file.Workloads[name].Workload.Disk != nil {
		kind = "StatefulSet"
	}
	return resource.Ref{Kind: kind, Name: b.namespace() + "/" + name}
}

// compactNeeds sorts needs and drops repetitions: several uses of one bucket are one need.
func compactNeeds(needs []resource.Need) []resource.Need {
	slices.SortFunc(needs, func(a, b resource.Need) int { return a.Ref.Compare(b.Ref) })
	return slices.Compact(needs)
}

// checkCircles reports workloads that use each other in a circle: none could be first.
func (b *builder) checkCircles() {
	done := map[string]bool{}
	var walk func(name string, open []string)
	walk = func(name string, open []string) {
		if i := slices.Index(open, name); i >= 0 {
			circle := append(slices.Clone(open[i:]), name)
			path := "workloads." + open[i] + ".uses"
			b.p.add(b.at(path), path, "a circle: %s; none of them could be created first", strings.Join(circle, " -> "))
			return
		}
		if done[name] || b.file.Workloads[name] == nil {
			return
		}
		for _, other := range b.file.Workloads[name].Workload.Uses {
			walk(other, append(slices.Clone(open), name))
		}
		done[name] = true
	}
	for _, name := range sortedKeys(b.file.Workloads) {
		walk(name, nil)
	}
}
