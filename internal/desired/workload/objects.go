package workload

import (
	"maps"
	"slices"
)

// Setting is what a workload has to know of the stack around it.
type Setting struct {
	Stack     string
	Namespace string
	Name      string // of the workload, and of all its objects but the claim
	Image     string // resolved
	Uses      []Peer // in the order of the file
	UsedBy    []string
	Google    string            // e-mail of the Google service account that the pods act as; "": none
	Buckets   []Bucket          // that its pods use, in the order of the file
	Secrets   map[string]string // which making of each Secret that it uses; "": not known now
	// Of the backup: the bucket's name, and the time zone of its schedule, UTC if it is empty.
	BackupBucket, TimeZone string
}

// Bucket is the use of a bucket by its key in the stack file.
type Bucket struct {
	Key, Name, Prefix string
}

// Peer is another workload of the stack.
type Peer struct {
	Name string
	Port int
}

// Labels by which a workload's pods are found. They say nothing of ownership: selectors cannot be changed, owners can.
const (
	labelName     = "app.kubernetes.io/name"
	labelInstance = "app.kubernetes.io/instance"
)

const (
	drainSeconds    = 5   // a pod that goes keeps answering while the cluster forgets its address
	progressSeconds = 900 // a node may have to be made, and a large image pulled
	startSeconds    = 600 // until then a pod that is not well yet is left to start
	spotSeconds     = 25  // all the notice that spot capacity gives
)

// object and list are what a manifest is made of. Numbers in it are int64, as everywhere in unstructured objects.
type (
	object = map[string]any
	list   = []any
)

// Claim is the name of the workload's PersistentVolumeClaim.
func Claim(name string) string { return name + "-data" }

// Objects are the manifests of the workload, which must be valid: ServiceAccount, PersistentVolumeClaim if it has a disk, Service if it
// has a port, NetworkPolicy, what comes with more than one pod, and last the Deployment, or StatefulSet if it has a disk.
func (w Workload) Objects(s Setting) []map[string]any {
	objects := []map[string]any{w.serviceAccount(s)}
	if w.Disk != nil {
		objects = append(objects, w.claim(s))
	}
	if w.Port != 0 {
		objects = append(objects, w.service(s))
	}
	objects = append(objects, w.networkPolicy(s))
	objects = append(objects, w.web(s)...)
	objects = append(objects, w.backup(s)...)
	if w.several() {
		objects = append(objects, w.disruption(s))
	}
	if w.scales() {
		objects = append(objects, w.scaler(s))
	}
	if w.Disk != nil {
		return append(objects, w.statefulSet(s))
	}
	return append(objects, w.deployment(s))
}

// selector finds the pods of one workload of one stack.
func selector(stack, name string) object { return object{labelName: name, labelInstance: stack} }

func (w Workload) metadata(s Setting, name string) object {
	return object{"name": name, "namespace": s.Namespace, "labels": w.labels(s)}
}

func (w Workload) labels(s Setting) object {
	labels := object{}
	for k, v := range w.Labels {
		labels[k] = v
	}
	maps.Copy(labels, selector(s.Stack, s.Name))
	return labels
}

// serviceAccount is who the pods are for Google's APIs. Workload Identity asks the node's metadata server, so neither the account
// nor the pods get a token for the Kubernetes API.
func (w Workload) serviceAccount(s Setting) object {
	meta := w.metadata(s, s.Name)
	if s.Google != "" { // the other half is on the Google service account: who may act as it
		meta["annotations"] = object{"iam.gke.io/gcp-service-account": s.Google}
	}
	return object{
		"apiVersion": "v1", "kind": "ServiceAccount",
		"metadata":                     meta,
		"automountServiceAccountToken": false,
	}
}

// claim is an object of its own rather than a template of the StatefulSet, so that it is seen, protected and kept like anything else.
func (w Workload) claim(s Setting) object {
	return object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": w.metadata(s, Claim(s.Name)),
		"spec": object{
			"accessModes": list{"ReadWriteOnce"},
			"resources":   object{"requests": object{"storage": string(w.Disk.Size)}},
		},
	}
}

// service gives the pods one address and one name: within the cluster alone, unless they are exposed.
func (w Workload) service(s Setting) object {
	port := int64(w.Port)
	service := object{
		"apiVersion": "v1", "kind": "Service",
		"metadata": w.metadata(s, s.Name),
		"spec": object{
			"type":     "ClusterIP",
			"selector": selector(s.Stack, s.Name),
			"ports":    list{object{"name": "main", "port": port, "targetPort": port, "protocol": "TCP"}},
		},
	}
	w.exposeService(service, s.Name)
	return service
}

// networkPolicy lets in those that use the workload, on its port, and nobody else: or everybody, if it is exposed, because a load
// balancer's packets come from its clients, from Google's own ranges or from other nodes, as the case may be. The node itself, which asks the probes, is
// always let in by Kubernetes. What the pods call is not restricted.
func (w Workload) networkPolicy(s Setting) object {
	ingress := list{}
	users := slices.Clone(s.UsedBy)
	if w.Backup != nil {
		users = append(users, BackupName(s.Name))
	}
	ports := list{object{"port": int64(w.Port), "protocol": "TCP"}}
	switch {
	case w.Port == 0:
	case w.Expose != nil:
		ingress = list{object{"ports": ports}}
	case len(users) > 0:
		from := list{}
		for _, user := range slices.Sorted(slices.Values(users)) {
			from = append(from, object{"podSelector": object{"matchLabels": selector(s.Stack, user)}})
		}
		ingress = list{object{"from": from, "ports": ports}}
	}
	return object{
		"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
		"metadata": w.metadata(s, s.Name),
		"spec": object{
			"podSelector": object{"matchLabels": selector(s.Stack, s.Name)},
			"policyTypes": list{"Ingress"},
			"ingress":     ingress,
		},
	}
}

// deployment runs pods that are all alike: a new one is ready before an old one goes.
func (w Workload) deployment(s Setting) object {
	return object{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": w.metadata(s, s.Name),
		"spec": w.replicated(object{
			"selector":                object{"matchLabels": selector(s.Stack, s.Name)},
			"progressDeadlineSeconds": int64(progressSeconds),
			"strategy": object{
				"type":          "RollingUpdate",
				"rollingUpdate": object{"maxUnavailable": int64(0), "maxSurge": int64(1)},
			},
			"template": w.template(s),
		}),
	}
}

// statefulSet runs the one pod that has the disk: the old one is gone before the new one starts. Its pods are managed in parallel, which
// with one of them means just this: a pod that never became ready is replaced when the template is mended. In order, Kubernetes waits for
// it for ever.
func (w Workload) statefulSet(s Setting) object {
	return object{
		"apiVersion": "apps/v1", "kind": "StatefulSet",
		"metadata": w.metadata(s, s.Name),
		"spec": w.replicated(object{
			"selector":            object{"matchLabels": selector(s.Stack, s.Name)},
			"serviceName":         s.Name,
			"podManagementPolicy": "Parallel",
			"template":            w.template(s),
		}),
	}
}

// replicated adds the number of pods if the stack says it; otherwise it belongs to whatever scales the workload.
func (w Workload) replicated(spec object) object {
	if w.Replicas != nil && !w.scales() {
		spec["replicas"] = int64(*w.Replicas.Count)
	}
	return spec
}
