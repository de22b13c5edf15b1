package drivers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/drivers/gcp/gke"
	"recsysd.dev/recsysd/internal/resource"
)

// Reach is the way into the API server that a stack's objects go to, for a look outside of a pass: that of the configured kubeconfig,
// else of the cluster in. A cluster that does not exist yet is resource.ErrUnavailable.
func Reach(ctx context.Context, c Config, in resource.Resource) (*rest.Config, error) {
	if c.Kubeconfig != "" {
		return kubeconfig(c.Kubeconfig, c.Context, c.GCP.UserAgent)(ctx, "")
	}
	service, err := gke.Open(ctx, c.GCP)
	if err != nil {
		return nil, err
	}
	clusters, err := cluster.New(ctx, service, c.Stack)
	if err != nil {
		return nil, errors.Join(err, service.Close())
	}
	way, err := enter(ctx, clusters, in)
	return way, errors.Join(err, service.Close())
}

// enter looks at the cluster, and takes the way that it shows.
func enter(ctx context.Context, clusters *cluster.Driver, in resource.Resource) (*rest.Config, error) {
	seen, err := resource.NewKind("cluster", clusters).Observe(ctx, []resource.Resource{in}, false)
	switch {
	case err != nil:
		return nil, err
	case len(seen.Found) == 0:
		return nil, fmt.Errorf("%s does not exist: %w", in.Ref, resource.ErrUnavailable)
	case seen.Found[0].State == resource.Unknown:
		return nil, errors.New(seen.Found[0].Detail)
	}
	return clusters.Access(ctx, in.Ref.Name)
}
