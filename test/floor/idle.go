package main

import (
	"context"
	"fmt"
	"time"

	// What recsysd's largest parts are linked from, as internal/drivers, gitsource and metrics import it. Others come with the subjects.
	_ "cloud.google.com/go/artifactregistry/apiv1"
	_ "cloud.google.com/go/container/apiv1"
	_ "cloud.google.com/go/secretmanager/apiv1"
	_ "cloud.google.com/go/storage"
	_ "filippo.io/age"
	_ "github.com/go-git/go-git/v5"
	_ "github.com/hashicorp/hcl/v2"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "go.yaml.in/yaml/v4"
	_ "google.golang.org/api/cloudbilling/v1"
	_ "google.golang.org/api/compute/v1"
	_ "google.golang.org/api/iam/v1"
	_ "google.golang.org/api/monitoring/v3"
	_ "k8s.io/client-go/dynamic"
	_ "k8s.io/client-go/tools/clientcmd"
	_ "sigs.k8s.io/kustomize/api/krusty"
)

// idle does nothing for as long as its argument says: what a program has resident that only links the same libraries.
func idle(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, how long")
	}
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	begin(ctx)
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return nil
}
