package kubetest

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/resource"
)

// The three ways in which GKE Autopilot's admission can behave towards a workload: what it makes of the resources depends on the request
// alone, is done when the object is created and never again, or is worked out anew from what is stored.
const (
	Pure       = "pure"
	OnCreate   = "on create only"
	FromStored = "recomputing from live"
)

const adjustment = "autopilot.gke.io/resource-adjustment"

// Autopilot does to workloads what GKE Autopilot's admission does: it raises requests (here CPU, to steps of 200m, so that the
// sizes of an ordinary stack are changed), fills in ephemeral storage, forces limits to the requests, drops NET_RAW, sets the
// seccomp profile and a toleration, and notes on the object what it was given and what it made of it.
func Autopilot(form string) Mutator {
	return func(a Admission) error {
		if form == OnCreate && a.Operation != "CREATE" {
			return nil
		}
		pod, ok := path(a.Object, "spec", "template", "spec")
		if !ok {
			return nil
		}
		containers, _ := pod["containers"].([]any)
		var input, output []any
		for i, c := range containers {
			container, _ := c.(map[string]any)
			before := deepCopy(container["resources"])
			adjust(container, stored(a, form, i))
			input = append(input, map[string]any{"containerName": container["name"], "resources": before})
			output = append(output, map[string]any{"containerName": container["name"], "resources": deepCopy(container["resources"])})
		}
		child(pod, "securityContext")["seccompProfile"] = map[string]any{"type": "RuntimeDefault"}
		pod["tolerations"] = []any{map[string]any{"key": "kubernetes.io/arch", "operator": "Equal", "value": "amd64", "effect": "NoSchedule"}}
		return annotate(a.Object, form, input, output)
	}
}

// adjust works out the requests and limits of one container; no request becomes smaller than earlier has it.
func adjust(container, earlier map[string]any) {
	resources := child(container, "resources")
	requests := child(resources, "requests")
	for key, value := range map[string]string{"cpu": "500m", "memory": "2Gi", "ephemeral-storage": "1Gi"} {
		if _, ok := requests[key]; !ok {
			requests[key] = value
		}
		kept, ok := earlier[key]
		if now := quantity(requests[key]); ok && now.Cmp(quantity(kept)) < 0 {
			requests[key] = kept
		}
	}
	cpu := quantity(requests["cpu"])
	requests["cpu"] = resource.NewMilliQuantity((cpu.MilliValue()+199)/200*200, resource.DecimalSI).String()
	limits := child(resources, "limits")
	for key, value := range requests {
		limits[key] = value
	}
	child(container, "securityContext")["capabilities"] = map[string]any{"drop": []any{"NET_RAW"}}
}

// quantity reads a request as JSON gives it; the API server has validated it.
func quantity(v any) resource.Quantity {
	q, err := resource.ParseQuantity(fmt.Sprint(v))
	if err != nil {
		return resource.Quantity{}
	}
	return q
}

// stored returns the requests of container i as they stand in the cluster, for the form that works from them.
func stored(a Admission, form string, i int) map[string]any {
	if form != FromStored || a.Old == nil {
		return nil
	}
	pod, _ := path(a.Old, "spec", "template", "spec")
	containers, _ := pod["containers"].([]any)
	if i >= len(containers) {
		return nil
	}
	container, _ := containers[i].(map[string]any)
	requests, _ := path(container, "resources", "requests")
	return requests
}

func annotate(object map[string]any, form string, input, output []any) error {
	annotations := child(child(object, "metadata"), "annotations")
	if _, noted := annotations[adjustment]; noted && form == Pure {
		return nil // it finds its own output and has nothing to add
	}
	note, err := json.Marshal(map[string]any{"input": input, "output": output, "modified": !reflect.DeepEqual(input, output)})
	if err != nil {
		return fmt.Errorf("writing the adjustment: %w", err)
	}
	annotations[adjustment] = string(note)
	annotations["autopilot.gke.io/warden-version"] = "3.0.40"
	return nil
}

// child returns m[key] as a map, made if it is not there.
func child(m map[string]any, key string) map[string]any {
	c, ok := m[key].(map[string]any)
	if !ok {
		c = map[string]any{}
		m[key] = c
	}
	return c
}

func path(m map[string]any, keys ...string) (map[string]any, bool) {
	for _, key := range keys {
		next, ok := m[key].(map[string]any)
		if !ok {
			return nil, false
		}
		m = next
	}
	return m, true
}

func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := map[string]any{}
		for key, value := range v {
			c[key] = deepCopy(value)
		}
		return c
	case []any:
		var c []any
		for _, value := range v {
			c = append(c, deepCopy(value))
		}
		return c
	}
	return v
}
