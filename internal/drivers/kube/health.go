package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// health reads from a live object whether it is usable, and what it is waiting for or suffering from. The rules are those
// of kstatus, with four gaps closed: a load balancer waits for its address, a Job for its end, a claim that binds with its
// first pod holds nobody up, and a pod that cannot be scheduled yet is not broken. Nothing is asked of the cluster; see rollout
// for what is.
func health(o Object) (resource.State, string) {
	if since := text(o.Manifest, "metadata", "deletionTimestamp"); since != "" {
		return resource.Pending, "being removed since " + since
	}
	m := o.Manifest
	if unseen(m) {
		return resource.Pending, "waiting for its controller to see the change"
	}
	gk := o.GVK().GroupKind()
	if judge, ok := judges[gk]; ok {
		return judge(m)
	}
	if OwnGroup(gk.Group) {
		return resource.Ready, ""
	}
	return custom(m)
}

// unseen: a controller that has not seen the newest spec speaks of an older one, and so do the pods.
func unseen(m map[string]any) bool {
	seen, ok := value(m, "status", "observedGeneration").(int64)
	return ok && seen < count(m, 0, "metadata", "generation")
}

// judges are the kinds with rules of their own. Every other of the API server's kinds is ready once it exists.
var judges = map[schema.GroupKind]func(map[string]any) (resource.State, string){
	{Group: "apps", Kind: "Deployment"}:                      deployment,
	{Group: "apps", Kind: "StatefulSet"}:                     statefulSet,
	{Group: "apps", Kind: "DaemonSet"}:                       daemonSet,
	{Group: "apps", Kind: "ReplicaSet"}:                      replicaSet,
	{Kind: "ReplicationController"}:                          replicaSet,
	{Group: "batch", Kind: "Job"}:                            job,
	{Kind: "Pod"}:                                            pod,
	{Kind: "Service"}:                                        service,
	{Group: "networking.k8s.io", Kind: "Ingress"}:            ingress,
	{Group: "networking.gke.io", Kind: "ManagedCertificate"}: certificate,
	{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}:  autoscaler,
	{Group: "batch", Kind: "CronJob"}:                        cronJob,
	{Kind: "PersistentVolumeClaim"}:                          claim,
	{Kind: "PersistentVolume"}:                               volume,
	{Kind: "Namespace"}:                                      namespace,
	definitionKind:                                           definition,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:    apiService,
}

// count is a whole number; otherwise where there is none.
func count(m map[string]any, otherwise int64, path ...string) int64 {
	if n, ok := value(m, path...).(int64); ok {
		return n
	}
	return otherwise
}

// condition returns a condition's status, reason and message; empty if there is none.
func condition(m map[string]any, kind string) (status, reason, message string) {
	for _, c := range objects(list(m, "status", "conditions")) {
		if text(c, "type") == kind {
			return text(c, "status"), text(c, "reason"), text(c, "message")
		}
	}
	return "", "", ""
}

func deployment(m map[string]any) (resource.State, string) {
	if value(m, "status", "observedGeneration") == nil {
		return resource.Pending, "waiting for its controller"
	}
	if status, reason, message := condition(m, "Progressing"); status == "False" && reason == "ProgressDeadlineExceeded" {
		return resource.Broken, message
	}
	want := count(m, 1, "spec", "replicas")
	updated, all := count(m, 0, "status", "updatedReplicas"), count(m, 0, "status", "replicas")
	available := count(m, 0, "status", "availableReplicas")
	switch {
	case updated < want:
		return resource.Pending, stuck(m, fmt.Sprintf("%d of %d pods updated", updated, want))
	case all > updated:
		return resource.Pending, fmt.Sprintf("%d old pods still to go", all-updated)
	case available < want:
		return resource.Pending, stuck(m, fmt.Sprintf("%d of %d pods available", available, want))
	}
	if status, _, _ := condition(m, "Available"); status == "False" {
		return resource.Pending, "not available"
	}
	return resource.Ready, ""
}

// stuck adds why the controller cannot make pods, such as a quota or an admission refusal.
func stuck(m map[string]any, detail string) string {
	if status, _, message := condition(m, "ReplicaFailure"); status == "True" {
		return detail + ": " + message
	}
	return detail
}

func statefulSet(m map[string]any) (resource.State, string) {
	if value(m, "status", "observedGeneration") == nil {
		return resource.Pending, "waiting for its controller"
	}
	want := count(m, 1, "spec", "replicas")
	ready, updated := count(m, 0, "status", "readyReplicas"), count(m, 0, "status", "updatedReplicas")
	if ready < want {
		return resource.Pending, fmt.Sprintf("%d of %d pods ready", ready, want)
	}
	if all := count(m, 0, "status", "replicas"); all > want {
		return resource.Pending, fmt.Sprintf("%d pods still to go", all-want)
	}
	if text(m, "spec", "updateStrategy", "type") == "OnDelete" {
		return resource.Ready, ""
	}
	if partition := count(m, 0, "spec", "updateStrategy", "rollingUpdate", "partition"); partition > 0 {
		if updated < want-partition {
			return resource.Pending, fmt.Sprintf("%d of %d pods updated", updated, want-partition)
		}
		return resource.Ready, ""
	}
	if text(m, "status", "currentRevision") != text(m, "status", "updateRevision") {
		return resource.Pending, fmt.Sprintf("%d of %d pods updated", updated, want)
	}
	return resource.Ready, ""
}

func daemonSet(m map[string]any) (resource.State, string) {
	if value(m, "status", "observedGeneration") == nil {
		return resource.Pending, "waiting for its controller"
	}
	want := count(m, 0, "status", "desiredNumberScheduled")
	if updated := count(m, 0, "status", "updatedNumberScheduled"); updated < want && text(m, "spec", "updateStrategy", "type") != "OnDelete" {
		return resource.Pending, fmt.Sprintf("%d of %d pods updated", updated, want)
	}
	if available := count(m, 0, "status", "numberAvailable"); available < want {
		return resource.Pending, fmt.Sprintf("%d of %d pods available", available, want)
	}
	return resource.Ready, ""
}

func replicaSet(m map[string]any) (resource.State, string) {
	want := count(m, 1, "spec", "replicas")
	if available := count(m, 0, "status", "availableReplicas"); available < want {
		return resource.Pending, stuck(m, fmt.Sprintf("%d of %d pods available", available, want))
	}
	return resource.Ready, ""
}

func job(m map[string]any) (resource.State, string) {
	if status, _, message := condition(m, "Failed"); status == "True" {
		return resource.Broken, message
	}
	if status, _, _ := condition(m, "Complete"); status == "True" {
		return resource.Ready, ""
	}
	if suspended, _ := value(m, "spec", "suspend").(bool); suspended {
		return resource.Ready, "suspended"
	}
	return resource.Pending, fmt.Sprintf("%d of %d runs succeeded", count(m, 0, "status", "succeeded"), count(m, 1, "spec", "completions"))
}

func pod(m map[string]any) (resource.State, string) {
	switch phase := text(m, "status", "phase"); phase {
	case "Succeeded":
		return resource.Ready, ""
	case "Failed":
		return resource.Broken, text(m, "status", "message")
	case "Running":
		if status, _, message := condition(m, "Ready"); status != "True" {
			return resource.Pending, message
		}
		return resource.Ready, ""
	default:
		_, _, message := condition(m, "PodScheduled")
		return resource.Pending, message
	}
}

func service(m map[string]any) (resource.State, string) {
	if text(m, "spec", "type") == "LoadBalancer" && len(list(m, "status", "loadBalancer", "ingress")) == 0 {
		return resource.Pending, "waiting for the load balancer's address"
	}
	return resource.Ready, ""
}

// claim: with a class that waits for the first consumer, an unbound claim is what its pod needs; whether it can be bound at
// all is seen in that pod's workload.
func claim(m map[string]any) (resource.State, string) {
	switch text(m, "status", "phase") {
	case "Bound":
		if status, _, message := condition(m, "FileSystemResizePending"); status == "True" {
			return resource.Ready, message
		}
		want, have := text(m, "spec", "resources", "requests", "storage"), text(m, "status", "capacity", "storage")
		if want != have && have != "" && !equalQuantities(want, have) {
			return resource.Ready, "growing from " + have + " to " + want
		}
		return resource.Ready, ""
	case "Lost":
		return resource.Broken, "its volume is lost"
	}
	return resource.Ready, "not bound to a volume yet"
}

func volume(m map[string]any) (resource.State, string) {
	switch phase := text(m, "status", "phase"); phase {
	case "Failed":
		return resource.Broken, text(m, "status", "message")
	case "", "Pending":
		return resource.Pending, phase
	}
	return resource.Ready, ""
}

func namespace(m map[string]any) (resource.State, string) {
	if phase := text(m, "status", "phase"); phase == "Terminating" {
		return resource.Pending, "being removed"
	}
	return resource.Ready, ""
}

func definition(m map[string]any) (resource.State, string) {
	if status, _, message := condition(m, "NamesAccepted"); status == "False" {
		return resource.Broken, message
	}
	if status, _, message := condition(m, "Established"); status != "True" {
		return resource.Pending, message
	}
	return resource.Ready, ""
}

func apiService(m map[string]any) (resource.State, string) {
	if status, _, message := condition(m, "Available"); status != "True" {
		return resource.Pending, message
	}
	return resource.Ready, ""
}

// custom goes by the conditions that most controllers set. Without any, to exist is to be ready.
func custom(m map[string]any) (resource.State, string) {
	if status, _, message := condition(m, "Stalled"); status == "True" {
		return resource.Broken, message
	}
	if status, _, message := condition(m, "Reconciling"); status == "True" {
		return resource.Pending, message
	}
	if status, _, message := condition(m, "Ready"); status != "" && status != "True" {
		return resource.Pending, message
	}
	return resource.Ready, ""
}
