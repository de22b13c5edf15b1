package workload

import (
	"fmt"
	"strconv"
)

// Replicas is how many pods there are: a number, or what an autoscaler keeps it between.
type Replicas struct {
	Count  *int `yaml:"-"`
	Min    int  `yaml:"min" required:"true" doc:"The least number of pods; 1 or more. Required."`
	Max    int  `yaml:"max" required:"true" doc:"The largest number of pods. Required."`
	CPU    *int `yaml:"cpu" doc:"Percentage of the reserved CPU that the pods are to use on average: more pods when they use more."`
	Memory *int `yaml:"memory" doc:"The same for memory."`
}

const maxReplicas = 1000

// UnmarshalText reads a fixed number.
func (r *Replicas) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	r.Count = &n
	if err != nil {
		return fmt.Errorf("must be a whole number, or {min, max, cpu}, not %q", text)
	}
	return nil
}

// Number says that the single value is one: in quotes it is refused.
func (Replicas) Number() {}

// scales reports whether an autoscaler says how many pods there are.
func (w Workload) scales() bool { return w.Replicas != nil && w.Replicas.Count == nil }

// Floor is how many pods an autoscaler leaves at least; 0 if there is none.
func (w Workload) Floor() int64 {
	if !w.scales() {
		return 0
	}
	return int64(w.Replicas.Min)
}

// several reports whether there may be more than one pod.
func (w Workload) several() bool {
	return w.Replicas != nil && (w.scales() && w.Replicas.Max > 1 || !w.scales() && *w.Replicas.Count > 1)
}

func (w Workload) validateReplicas(bad func(field, format string, args ...any)) {
	r := w.Replicas
	switch {
	case r == nil:
		return
	case r.Count != nil:
		switch n := *r.Count; {
		case n < 0 || n > maxReplicas:
			bad("replicas", "%d is out of range; 0 to %d", n, maxReplicas)
		case n > 1 && w.Disk != nil:
			bad("replicas", "%d with a disk: only one pod can have it", n)
		}
		return
	}
	if w.Disk != nil {
		bad("replicas", "a workload with a disk cannot be scaled: only one pod can have it")
		return
	}
	if r.Min < 1 {
		bad("replicas: min", "must be 1 or more: an autoscaler that is down to none cannot see that there is work; to stop the pods use schedule")
	}
	switch {
	case r.Max < r.Min:
		bad("replicas: max", "%d is less than min, which is %d", r.Max, r.Min)
	case r.Max > maxReplicas:
		bad("replicas: max", "%d is out of range; at most %d", r.Max, maxReplicas)
	}
	if r.CPU == nil && r.Memory == nil {
		bad("replicas", "says not by what to scale; such as cpu: 70, a percentage of what is reserved")
	}
	for field, percent := range map[string]*int{"cpu": r.CPU, "memory": r.Memory} {
		if percent != nil && (*percent < 1 || *percent > 100) {
			bad("replicas: "+field, "%d is out of range; 1 to 100, a percentage of what is reserved", *percent)
		}
	}
}

// scaler is the HorizontalPodAutoscaler. Where it is, the Deployment leaves out how many pods there are.
func (w Workload) scaler(s Setting) object {
	metrics := list{}
	for _, m := range []struct {
		name    string
		percent *int
	}{{"cpu", w.Replicas.CPU}, {"memory", w.Replicas.Memory}} {
		if m.percent != nil {
			target := object{"type": "Utilization", "averageUtilization": int64(*m.percent)}
			metrics = append(metrics, object{"type": "Resource", "resource": object{"name": m.name, "target": target}})
		}
	}
	return object{
		"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
		"metadata": w.metadata(s, s.Name),
		"spec": object{
			"scaleTargetRef": object{"apiVersion": "apps/v1", "kind": "Deployment", "name": s.Name},
			"minReplicas":    int64(w.Replicas.Min),
			"maxReplicas":    int64(w.Replicas.Max),
			"metrics":        metrics,
		},
	}
}

// disruption is the PodDisruptionBudget: what drains a node takes the pods one at a time. While an autoscaler leaves one pod it allows
// that one to go, and stops no drain.
func (w Workload) disruption(s Setting) object {
	return object{
		"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
		"metadata": w.metadata(s, s.Name),
		"spec": object{
			"maxUnavailable": int64(1),
			"selector":       object{"matchLabels": selector(s.Stack, s.Name)},
		},
	}
}
