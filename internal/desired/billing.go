package desired

import (
	"recsysd.dev/recsysd/internal/resource"
)

// addBilling tells every Kubernetes object what its price depends on beside itself: the cluster, its storage classes, its autoscaler.
func (b *builder) addBilling() {
	in := b.clusterBilling()
	type bounds struct{ least, most int64 }
	scaled := map[resource.Ref]bounds{}
	for _, r := range b.resources {
		o, ok := r.Spec.(object)
		if !ok {
			continue
		}
		if target, least, most, ok := o.Scaling(); ok {
			scaled[target] = bounds{least, most}
		}
		if r.Ref.Kind == "StorageClass" {
			sort, standard := diskSort(o.Manifest)
			if in.Classes == nil {
				in.Classes = diskSorts{}
			}
			in.Classes[r.Ref.Name] = sort
			if standard {
				in.Classes[""] = sort
			}
		}
	}
	in = b.options.Memory.same(in)
	for i := range b.resources {
		r := &b.resources[i]
		if o, ok := r.Spec.(object); ok {
			n := scaled[r.Ref]
			r.Spec = o.In(in, n.least, n.most)
		}
	}
}

// clusterBilling is the cluster that the objects go to.
func (b *builder) clusterBilling() *clusterBilling {
	for _, key := range sortedKeys(b.file.Cloud.Clusters) {
		e := b.file.Cloud.Clusters[key]
		if b.cluster == (resource.Ref{}) || e.Spec.Ref() != b.cluster {
			continue
		}
		in := e.billing()
		in.Bursting = b.file.Cost == nil || b.file.Cost.Bursting == nil || *b.file.Cost.Bursting
		return &in
	}
	return &clusterBilling{Unknown: "its cluster is not in the stack"}
}

// countMachines tells networks what is behind their Cloud NAT.
func (b *builder) countMachines() {
	for _, n := range b.file.Cloud.Networks {
		for _, key := range sortedKeys(b.file.Cloud.Clusters) {
			e := b.file.Cloud.Clusters[key]
			e.parts() // which tells it what it is
			e.behind(&n.Spec)
		}
	}
}
