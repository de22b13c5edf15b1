// Package drivers is the list of kinds: the real ones and the same ones simulated. It wires them to each other and knows nothing
// of what they do; a new kind is a line in Kinds and one in Simulated.
package drivers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"recsysd.dev/recsysd/internal/drivers/bucket"
	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gke"
	"recsysd.dev/recsysd/internal/drivers/identity"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/drivers/leftover"
	"recsysd.dev/recsysd/internal/drivers/network"
	"recsysd.dev/recsysd/internal/drivers/nodepool"
	"recsysd.dev/recsysd/internal/drivers/registry"
	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/secretmanager"
	"recsysd.dev/recsysd/internal/sim"
)

// Config is what the kinds of one stack are made from.
type Config struct {
	Stack string // whose mark is written, and looked for
	GCP   gcp.Config
	// Kubeconfig and Context lead to the API server for the stack's objects; without them it is that of the stack's own cluster.
	Kubeconfig, Context string
	UndoManagers        []string
	Width               int                  // requests to an API server at a time
	Changed             func([]resource.Ref) // a watch saw these change; it must not block. May be nil
	SecretRefresh       time.Duration        // Secret Manager is asked for newer versions this often
}

// Set is the kinds of one stack. Close it when no call is under way.
type Set struct {
	Kinds   []resource.Kind
	Secrets *secretmanager.Store // values that the stack file names; nil: there is no Secret Manager
	// Tags lists what a repository of images holds, by image; nil where there is nothing to ask.
	Tags func(context.Context, image.Repository) (map[string][]image.Tag, error)

	close []func() error
}

// Close lets go of connections and watches.
func (s Set) Close() error {
	var errs []error
	for _, c := range s.close {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// Kinds makes the real kinds. It sends nothing yet, save that the default credentials are looked for. ctx is used for as long as the
// kinds are.
func Kinds(ctx context.Context, c Config) (Set, error) {
	var set Set
	service, err := gke.Open(ctx, c.GCP)
	if err != nil {
		return Set{}, fmt.Errorf("clusters: %w", err)
	}
	set.close = append(set.close, service.Close)
	clusters, err := cluster.New(ctx, service, c.Stack)
	if err != nil {
		return Set{}, errors.Join(fmt.Errorf("clusters: %w", err), set.Close())
	}
	who, err := gcp.NewPrincipals(ctx, c.GCP)
	if err != nil {
		return Set{}, errors.Join(err, set.Close())
	}
	identities, err := identity.New(ctx, c.GCP, c.Stack)
	if err != nil {
		return Set{}, errors.Join(fmt.Errorf("identities: %w", err), set.Close())
	}
	who.OwnedBy(identities.Own)
	buckets, err := bucket.New(ctx, c.GCP, c.Stack, who)
	if err != nil {
		return Set{}, errors.Join(fmt.Errorf("buckets: %w", err), set.Close())
	}
	set.close = append(set.close, buckets.Close)
	registries, err := registry.New(ctx, c.GCP, c.Stack, who)
	if err != nil {
		return Set{}, errors.Join(fmt.Errorf("registries: %w", err), set.Close())
	}
	set.close = append(set.close, registries.Close)
	set.Secrets = secretmanager.New(ctx, c.GCP, c.SecretRefresh)
	set.close = append(set.close, set.Secrets.Close)
	networks, err := network.New(ctx, c.GCP, c.Stack)
	if err != nil {
		return Set{}, errors.Join(fmt.Errorf("networks: %w", err), set.Close())
	}
	set.Tags = registries.Tags
	watched, err := leftover.Watch(ctx, clusters, c.GCP, func(s cluster.Spec) leftover.Cluster {
		return leftover.Cluster{Name: s.Name, Location: s.Location, ID: s.ID()}
	})
	if err != nil {
		return Set{}, errors.Join(fmt.Errorf("clusters: %w", err), set.Close())
	}
	record, err := gcp.NewAuditLog(ctx, c.GCP)
	if err != nil {
		return Set{}, errors.Join(err, set.Close())
	}
	access := clusters.Access
	if c.Kubeconfig != "" {
		access = kubeconfig(c.Kubeconfig, c.Context, c.GCP.UserAgent)
	}
	objects := kube.New(ctx, kube.Options{
		Stack: c.Stack, Access: access, UndoManagers: c.UndoManagers, Requests: c.GCP.Observe, Notify: c.Changed, Width: c.Width,
	})
	set.close = append(set.close, func() error { objects.Close(); return nil })
	set.Kinds = []resource.Kind{
		resource.NewKind("network", gcp.Recorded(networks, record)),
		resource.NewKind("cluster", gcp.Recorded(watched, record)),
		resource.NewKind("nodepool", gcp.Recorded(nodepool.New(service, c.Stack), record)),
		resource.NewKind("bucket", gcp.Recorded(buckets, record)),
		resource.NewKind("registry", gcp.Recorded(registries, record)),
		resource.NewKind("identity", gcp.Recorded(identities, record)),
		resource.NewKind("kube", objects),
	}
	return set, nil
}

// Simulated makes the same kinds out of a simulated cloud.
func Simulated(cloud *sim.Cloud, stack, project string) []resource.Kind {
	objects := sim.NewDriver[kube.Object](cloud, stack)
	objects.Entry = func(o kube.Object) string {
		return (&unstructured.Unstructured{Object: o.Manifest}).GetLabels()[kube.LabelEntry]
	}
	clusters := sim.NewDriver[cluster.Spec](cloud, stack)
	clusters.Outputs = func(s cluster.Spec) map[string]string { return map[string]string{"endpoint": s.Name + ".gke.example"} }
	networks := sim.NewDriver[network.Spec](cloud, stack)
	networks.Outputs = func(s network.Spec) map[string]string { return s.Outputs(project) }
	buckets := sim.NewDriver[bucket.Spec](cloud, stack)
	buckets.Outputs = func(s bucket.Spec) map[string]string { return map[string]string{"url": "gs://" + s.Name} }
	registries := sim.NewDriver[registry.Spec](cloud, stack)
	registries.Outputs = func(s registry.Spec) map[string]string { return map[string]string{"path": s.Path(project)} }
	identities := sim.NewDriver[identity.Spec](cloud, stack)
	identities.Outputs = func(s identity.Spec) map[string]string {
		return map[string]string{"email": gcp.AccountEmail(project, s.Name)}
	}
	return []resource.Kind{
		resource.NewKind("network", networks),
		resource.NewKind("cluster", clusters),
		resource.NewKind("nodepool", sim.NewDriver[nodepool.Spec](cloud, stack)),
		resource.NewKind("bucket", buckets),
		resource.NewKind("registry", registries),
		resource.NewKind("identity", identities),
		resource.NewKind("kube", objects),
	}
}

// kubeconfig reads the file whenever it has changed, since credentials in it are renewed.
func kubeconfig(path, kubeContext, agent string) func(context.Context, string) (*rest.Config, error) {
	var mu sync.Mutex
	var last os.FileInfo
	var known *rest.Config
	return func(context.Context, string) (*rest.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		now, err := os.Stat(path)
		if err == nil && known != nil && os.SameFile(now, last) && now.ModTime().Equal(last.ModTime()) && now.Size() == last.Size() {
			return rest.CopyConfig(known), nil
		}
		rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: path}
		c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: kubeContext}).ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
		}
		c.UserAgent = agent
		last, known = now, c
		return rest.CopyConfig(c), nil
	}
}
