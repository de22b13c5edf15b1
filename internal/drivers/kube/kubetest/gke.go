package kubetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// InstallGKE gives the cluster the kinds that GKE's Ingress goes by, as every GKE cluster has them, and returns when they are served.
// No controller acts on them.
func (c *Cluster) InstallGKE(ctx context.Context) error {
	b, err := conf.ReadFile("conf/gke.yaml")
	if err != nil {
		return err
	}
	path := filepath.Join(c.dir, "gke.yaml")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{{"apply", "--server-side", "-f", path}, {"wait", "--for=condition=Established", "--timeout=1m", "-f", path}} {
		if _, err := c.Kubectl(ctx, Admin, args...); err != nil {
			return fmt.Errorf("the kinds of GKE: %w", err)
		}
	}
	return nil
}
