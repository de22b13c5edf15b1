package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Kubernetes makes the checks of the API server that the stack's objects go to.
type Kubernetes struct {
	// Reach is the way in, or why there is none yet.
	Reach     func(context.Context) (*rest.Config, error)
	Resources []resource.Resource
	Observe   bool
}

// Checks are whether it answers, and whether the stack's objects may be read and written.
func (k Kubernetes) Checks() []Check {
	return []Check{{"cluster", k.reachable}, {"rights in the cluster", k.rights}}
}

const (
	reachHint = "gcloud container clusters describe NAME --region=REGION   # is it RUNNING, and may this machine reach its endpoint?"
	rbacHint  = "recsysd bootstrap --config FILE   # prints the role; or bind a ClusterRole to the account in the cluster"
)

func (k Kubernetes) reachable(ctx context.Context) Finding {
	if len(k.objects()) == 0 {
		return Skipped("the stack has no Kubernetes objects")
	}
	c, err := k.Reach(ctx)
	if err != nil {
		return k.away(err)
	}
	var version struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := call(ctx, c, http.MethodGet, "/version", nil, &version); err != nil {
		return Wrong(reachHint, "%s: %v", c.Host, err)
	}
	return Well("%s runs Kubernetes %s", c.Host, version.GitVersion)
}

// away: a cluster that does not exist yet is no fault of anybody's.
func (k Kubernetes) away(err error) Finding {
	if isUnavailable(err) {
		return Skipped("%v", err)
	}
	if errors.Is(err, gcp.ErrCredentials) {
		return unasked
	}
	return Wrong(reachHint, "%v", err)
}

// target is what may be done to: a kind of objects in a namespace, "" for all.
type target struct {
	group, resource, namespace string
}

// object is what is asked of a Kubernetes object here.
type object interface {
	GVK() schema.GroupVersionKind
	Namespace() string
}

// objects are the kinds of the stack's objects, each with its namespace.
func (k Kubernetes) objects() []target {
	found := map[target]bool{}
	for _, r := range k.Resources {
		if o, ok := r.Spec.(object); ok {
			found[target{o.GVK().Group, plural(o.GVK().Kind), o.Namespace()}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b target) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
}

// plural is how resources are called by the rule that all of Kubernetes' own keep to.
func plural(kind string) string {
	name := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(name, "s"), strings.HasSuffix(name, "x"):
		return name + "es"
	case strings.HasSuffix(name, "y") && !strings.HasSuffix(name, "ay"):
		return name[:len(name)-1] + "ies"
	}
	return name + "s"
}

// rights asks the API server itself what the caller may do.
func (k Kubernetes) rights(ctx context.Context) Finding {
	targets := k.objects()
	if len(targets) == 0 {
		return Skipped("the stack has no Kubernetes objects")
	}
	c, err := k.Reach(ctx)
	if err != nil {
		return Skipped("the cluster cannot be reached")
	}
	verbs := []string{"get", "list", "watch", "create", "patch", "delete"}
	if k.Observe {
		verbs = verbs[:3]
	}
	var missing []string
	for _, t := range targets {
		var denied []string
		for _, verb := range verbs {
			allowed, err := may(ctx, c, t, verb)
			if err != nil {
				return Wrong(reachHint, "%v", err)
			}
			if !allowed {
				denied = append(denied, verb)
			}
		}
		if len(denied) > 0 {
			missing = append(missing, strings.Join(denied, ",")+" "+strings.Trim(t.resource+"."+t.group, "."))
		}
	}
	if len(missing) > 0 {
		return Wrong(rbacHint, "missing: %s", strings.Join(missing, "; "))
	}
	return Well("%d kinds of objects", len(targets))
}

// may is a SelfSubjectAccessReview.
func may(ctx context.Context, c *rest.Config, t target, verb string) (bool, error) {
	review := map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]any{
			"group": t.group, "resource": t.resource, "namespace": t.namespace, "verb": verb,
		}},
	}
	var answer struct {
		Status struct {
			Allowed bool `json:"allowed"`
		} `json:"status"`
	}
	err := call(ctx, c, http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, &answer)
	return answer.Status.Allowed, err
}

// maxAnswer is more than any answer that is asked for here.
const maxAnswer = 1 << 20

// call sends one request to an API server.
func call(ctx context.Context, c *rest.Config, method, path string, body, answer any) error {
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Host, "/")+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return json.Unmarshal(b, answer)
}
