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

// template is the pod. Whatever changes in it rolls the pods, so nothing of ownership or handling may stand here.
func (w Workload) template(s Setting) object {
	spec := object{
		"serviceAccountName":           s.Name,
		"automountServiceAccountToken": false,
		"enableServiceLinks":           false,
		"securityContext":              w.podSecurity(),
		"containers":                   list{w.container(s)},
	}
	if w.Spot {
		spec["nodeSelector"] = object{"cloud.google.com/gke-spot": "true"}
		spec["terminationGracePeriodSeconds"] = int64(spotSeconds)
	}
	volumes := w.secretVolumes()
	if w.Disk != nil {
		volumes = append(list{object{"name": "data", "persistentVolumeClaim": object{"claimName": Claim(s.Name)}}}, volumes...)
	}
	if len(volumes) > 0 {
		spec["volumes"] = volumes
	}
	metadata := object{"labels": w.labels(s)}
	if notes := s.secretNotes(); len(notes) > 0 {
		metadata["annotations"] = notes
	}
	return object{"metadata": metadata, "spec": spec}
}

// podSecurity runs the pod as the declared user, to whose group the disk is given once: OnRootMismatch leaves the rights alone that
// a database set on its own folder.
func (w Workload) podSecurity() object {
	security := object{"seccompProfile": object{"type": "RuntimeDefault"}}
	if w.User != nil {
		security["runAsUser"] = *w.User
		security["runAsNonRoot"] = true
		security["fsGroup"] = *w.User
	}
	if w.Disk != nil {
		security["fsGroupChangePolicy"] = "OnRootMismatch"
	}
	return security
}

// container is the one container of the pod.
func (w Workload) container(s Setting) object {
	c := object{
		"name":      s.Name,
		"image":     s.Image,
		"resources": w.resources(),
	}
	if w.Command != nil {
		c["command"] = texts(w.Command)
	}
	if w.Args != nil {
		c["args"] = texts(w.Args)
	}
	if env := w.env(s); len(env) > 0 {
		c["env"] = env
	}
	if w.Port != 0 {
		c["ports"] = list{object{"name": "main", "containerPort": int64(w.Port), "protocol": "TCP"}}
		w.probes(c)
	}
	if w.Port != 0 && w.Disk == nil {
		c["lifecycle"] = object{"preStop": object{"sleep": object{"seconds": int64(drainSeconds)}}}
	}
	if w.User != nil { // no user but root could use what is dropped here
		c["securityContext"] = object{"allowPrivilegeEscalation": false, "capabilities": object{"drop": list{"ALL"}}}
	}
	mounts := w.secretMounts()
	if w.Disk != nil {
		mounts = append(list{object{"name": "data", "mountPath": w.Disk.Mount}}, mounts...)
	}
	if len(mounts) > 0 {
		c["volumeMounts"] = mounts
	}
	return c
}

// resources reserves what is declared. Memory beyond it is refused, because what a node lacks would kill others; CPU beyond it is
// not, because there it only means to wait.
func (w Workload) resources() object {
	return object{
		"requests": object{"cpu": string(w.CPU), "memory": string(w.Memory)},
		"limits":   object{"memory": string(w.Memory)},
	}
}

// probes ask the health path. Without one, a pod gets traffic once its port answers, and is never restarted for being slow.
func (w Workload) probes(c object) {
	port := int64(w.Port)
	if w.Health == "" {
		c["readinessProbe"] = object{"tcpSocket": object{"port": port}, "periodSeconds": int64(5), "timeoutSeconds": int64(3)}
		return
	}
	probe := func(period, timeout, failures int64) object {
		return object{
			"httpGet":       object{"path": w.Health, "port": port},
			"periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures,
		}
	}
	c["startupProbe"] = probe(5, 3, startSeconds/5)
	c["readinessProbe"] = probe(5, 3, 3)
	c["livenessProbe"] = probe(10, 5, 6)
}

// env lists the variables: secret ones first, then where the used workloads and buckets are, then the rest, because $(NAME)
// reaches only what stands before it. What the stack file says itself is not overruled.
func (w Workload) env(s Setting) list {
	var secret, plain list
	for _, name := range slices.Sorted(maps.Keys(w.Env)) {
		e := w.Env[name]
		if e.Text != nil {
			plain = append(plain, object{"name": name, "value": *e.Text})
			continue
		}
		secret = append(secret, object{"name": name, "valueFrom": object{"secretKeyRef": object{"name": e.Secret, "key": e.Key}}})
	}
	var made list
	for _, v := range s.variables() {
		if _, said := w.Env[v.name]; !said {
			made = append(made, object{"name": v.name, "value": v.value})
		}
	}
	return slices.Concat(secret, made, plain)
}

func texts(words []string) list {
	l := make(list, 0, len(words))
	for _, w := range words {
		l = append(l, w)
	}
	return l
}
