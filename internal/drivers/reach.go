package drivers

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/drivers/cluster"
	"recsysd.dev/recsysd/internal/resource"
)

// Reach is the way into the API server that a stack's objects go to, for a look outside of a pass: that of the configured kubeconfig,
// else of the cluster in. A cluster that does not exist yet is resource.ErrUnavailable.
func Reach(ctx context.Context, c Config, in resource.Resource) (*rest.Config, error) {
	if c.Kubeconfig != "" {
		return kubeconfig(c.Kubeconfig, c.Context, c.GCP.UserAgent)(ctx, "")
	}
	clusters, err := cluster.New(ctx, c.GCP, c.Stack)
	if err != nil {
		return nil, err
	}
	seen, err := resource.NewKind("cluster", clusters).Observe(ctx, []resource.Resource{in}, false)
	switch {
	case err != nil:
		return nil, errors.Join(err, clusters.Close())
	case len(seen.Found) == 0:
		return nil, errors.Join(fmt.Errorf("%s does not exist: %w", in.Ref, resource.ErrUnavailable), clusters.Close())
	case seen.Found[0].State == resource.Unknown:
		return nil, errors.Join(errors.New(seen.Found[0].Detail), clusters.Close())
	}
	way, err := clusters.Access(ctx, in.Ref.Name)
	return way, errors.Join(err, clusters.Close())
}
