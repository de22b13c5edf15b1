package workload

import (
	"maps"
	"slices"
)

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
