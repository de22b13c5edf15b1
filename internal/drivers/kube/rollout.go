package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// nodePatience is how long a pod may wait for a node before that is called a failure: where nodes are made for pods, one takes
// one to three minutes to come.
const nodePatience = 5 * time.Minute

var (
	deploymentKind = schema.GroupKind{Group: "apps", Kind: "Deployment"}
	podMapping     = mapping{gvk: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, gvr: schema.GroupVersionResource{Version: "v1", Resource: "pods"}, namespaced: true}
	setMapping     = mapping{gvk: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"},
		gvr: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}, namespaced: true}
)

// startsPods are the kinds whose pods are asked when they do not become ready.
var startsPods = map[schema.GroupKind]bool{
	deploymentKind: true, statefulSetKind: true, {Group: "apps", Kind: "DaemonSet"}: true, {Group: "batch", Kind: "Job"}: true,
}

// rollout looks for why o, which waits, does not become ready: a pod of its newest form that cannot start, or keeps ending, is a
// failure long before the controller's own time limit. It costs a request, so it is asked of nothing that is well; what may not be
// listed, or does not answer, changes nothing.
func (s *link) rollout(ctx context.Context, o Object, state resource.State, detail string) (resource.State, string) {
	if state != resource.Pending || !startsPods[o.GVK().GroupKind()] || text(o.Manifest, "metadata", "deletionTimestamp") != "" || unseen(o.Manifest) || !hasPods(o.Manifest) {
		return state, detail
	}
	pods, err := s.children(ctx, podMapping, o)
	if err != nil {
		return state, detail
	}
	var troubles []trouble
	for _, p := range pods {
		if t := troubleOf(p.Object, time.Now()); t.reason != "" {
			troubles = append(troubles, t)
		}
	}
	if len(troubles) > 0 && o.GVK().GroupKind() == deploymentKind {
		newest, err := s.newestHash(ctx, o, pods)
		if err != nil {
			return state, detail
		}
		troubles = slices.DeleteFunc(troubles, func(t trouble) bool { return t.hash != newest })
	}
	if len(troubles) == 0 {
		return state, detail
	}
	worst := slices.MinFunc(troubles, trouble.compare)
	if worst.patience {
		return state, worst.String() + "; " + detail
	}
	return resource.Broken, worst.String() + "; " + detail
}

// hasPods reports whether a controller says that it has made pods. Where it has not yet, there is nothing to be asked of them.
func hasPods(m map[string]any) bool {
	for _, field := range []string{"replicas", "currentNumberScheduled", "desiredNumberScheduled", "active", "failed"} {
		if count(m, 0, "status", field) > 0 {
			return true
		}
	}
	return false
}

// children are the objects of a kind that o's selector finds and o's controller does not let go.
func (s *link) children(ctx context.Context, m mapping, o Object) ([]unstructured.Unstructured, error) {
	match := labels.Set{}
	for k, v := range object(o.Manifest, "spec", "selector", "matchLabels") {
		match[k], _ = v.(string)
	}
	if len(match) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	l, err := s.resource(m, o.Namespace()).List(ctx, metav1.ListOptions{LabelSelector: match.String(), Limit: 500})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(l.Items, func(u unstructured.Unstructured) bool { return u.GetDeletionTimestamp() != nil }), nil
}

const hashLabel = "pod-template-hash"

// newestHash is what tells the pods of a Deployment's newest template from those of the one before, which keep serving and are not
// to blame. Which ReplicaSet is the newest is asked only if there are pods of several.
func (s *link) newestHash(ctx context.Context, o Object, pods []unstructured.Unstructured) (string, error) {
	first := pods[0].GetLabels()[hashLabel]
	if !slices.ContainsFunc(pods, func(p unstructured.Unstructured) bool { return p.GetLabels()[hashLabel] != first }) {
		return first, nil
	}
	sets, err := s.children(ctx, setMapping, o)
	if err != nil {
		return "", err
	}
	const revision = "deployment.kubernetes.io/revision"
	for _, set := range sets {
		if set.GetAnnotations()[revision] == o.annotation(revision) {
			return set.GetLabels()[hashLabel], nil
		}
	}
	return "", nil // its controller has not made it yet
}

// trouble is what keeps one pod from running.
type trouble struct {
	pod, hash, container, reason, message string
	patience                              bool // it may still come right without anybody
}

// compare puts what is certain first, and one of a kind by name, so that the same is told from one look to the next.
func (t trouble) compare(o trouble) int {
	if t.patience != o.patience {
		if o.patience {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(t.reason, o.reason), cmp.Compare(t.pod, o.pod), cmp.Compare(t.container, o.container))
}

// String names the pod, its container and the reason, and says what Kubernetes says to it.
func (t trouble) String() string {
	what := "pod " + t.pod
	if t.container != "" {
		what += ", container " + t.container
	}
	what += ": " + t.reason
	if t.message != "" {
		what += ": " + t.message
	}
	return what
}

// hopeless are reasons for which a container waits and which do not pass by themselves. The value says whether the message that comes
// with them is worth telling.
var hopeless = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true, "ImageInspectError": true,
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true, "CrashLoopBackOff": false,
}

// troubleOf judges one pod; no reason is no trouble.
func troubleOf(pod map[string]any, now time.Time) trouble {
	t := trouble{pod: text(pod, "metadata", "name"), hash: text(pod, "metadata", "labels", hashLabel)}
	switch text(pod, "status", "phase") {
	case "Succeeded", "Failed":
		return t // whether another is to follow is its controller's business
	}
	for _, c := range append(objects(list(pod, "status", "initContainerStatuses")), objects(list(pod, "status", "containerStatuses"))...) {
		reason := text(c, "state", "waiting", "reason")
		said, bad := hopeless[reason]
		failed := count(c, 0, "lastState", "terminated", "exitCode") != 0
		switch {
		case bad && said:
			t.message = text(c, "state", "waiting", "message")
		case bad, c["ready"] == false && failed && count(c, 0, "restartCount") > 1:
			// Between two ends it runs for a moment: that is the same trouble.
			reason, bad = "CrashLoopBackOff", true
			t.message = ended(c)
		}
		if bad {
			t.container, t.reason = text(c, "name"), reason
			return t
		}
	}
	for _, c := range objects(list(pod, "status", "conditions")) {
		if text(c, "type") == "PodScheduled" && text(c, "status") == "False" && text(c, "reason") == "Unschedulable" {
			since, err := time.Parse(time.RFC3339, text(c, "lastTransitionTime"))
			t.reason, t.message = "Unschedulable", text(c, "message")
			t.patience = err != nil || now.Sub(since) < nodePatience
		}
	}
	return t
}

// ended says how a container last ended.
func ended(c map[string]any) string {
	code, ok := value(c, "lastState", "terminated", "exitCode").(int64)
	if !ok {
		return "it ends again and again"
	}
	why := fmt.Sprintf("the last exit code was %d", code)
	if reason := text(c, "lastState", "terminated", "reason"); reason != "" && reason != "Error" && reason != "Completed" {
		why += " (" + reason + ")"
	}
	return why
}
