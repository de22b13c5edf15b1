// Package gke is what the kinds of GKE share: one connection, one listing of the clusters for all of them in a pass, the
// operations that are under way, and what GKE's answers to writes mean. It knows no kind.
package gke

import (
	"context"
	"fmt"
	"strings"
	"sync"

	container "cloud.google.com/go/container/apiv1"
	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Service is GKE in the configuration's project, for the kinds of one stack. What it remembers between calls only spares
// requests or tells "no" from "not now"; losing it costs nothing else. It is safe for concurrent use.
type Service struct {
	API    *container.ClusterManagerClient
	Config gcp.Config

	clusters   shared[listing]
	operations shared[operations]

	mu       sync.Mutex
	refusals map[refusal]int // how often each has come
}

// Open makes the connection and sends nothing. ctx is used for as long as the service is. Close it when no call is under way.
func Open(ctx context.Context, config gcp.Config) (*Service, error) {
	options, open := config.GRPC, container.NewClusterManagerClient
	if config.REST(gcp.Container) {
		options, open = config.HTTP, container.NewClusterManagerRESTClient
	}
	opts, err := options(ctx, gcp.Container)
	if err != nil {
		return nil, err
	}
	api, err := open(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	return &Service{API: api, Config: config, refusals: map[refusal]int{}}, nil
}

// Close lets go of the connection.
func (s *Service) Close() error { return s.API.Close() }

// Parent is the full name of a location; "-" is all of them.
func (s *Service) Parent(location string) string {
	return "projects/" + s.Config.Project + "/locations/" + location
}

// Cluster is the full name of a cluster.
func (s *Service) Cluster(location, name string) string {
	return s.Parent(location) + "/clusters/" + name
}

// listing is what one ListClusters came to; both may be set.
type listing struct {
	clusters []*containerpb.Cluster
	err      error
}

// List reads all clusters of the project with their node pools. Kinds that list in the same pass share one request; reader tells
// them apart. With an error it may still return some: a location that gives no answer does not fail the call, it is merely named
// in the answer. What is returned is not to be changed.
func (s *Service) List(ctx context.Context, reader string) ([]*containerpb.Cluster, error) {
	l, err := s.clusters.get(ctx, reader, func(ctx context.Context) listing {
		answer, err := s.API.ListClusters(ctx, &containerpb.ListClustersRequest{Parent: s.Parent("-")}, gcp.Read()...)
		if err != nil {
			return listing{err: gcp.Explain("ListClusters", err)}
		}
		l := listing{clusters: answer.GetClusters()}
		if missing := answer.GetMissingZones(); len(missing) > 0 {
			l.err = fmt.Errorf("ListClusters: no answer from %s", strings.Join(missing, ", "))
		}
		return l
	})
	if err != nil {
		return nil, gcp.Explain("ListClusters", err)
	}
	return l.clusters, l.err
}

// Get reads one cluster with its node pools; nil without an error: there is none.
func (s *Service) Get(ctx context.Context, location, name string) (*containerpb.Cluster, error) {
	pb, err := s.API.GetCluster(ctx, &containerpb.GetClusterRequest{Name: s.Cluster(location, name)}, gcp.Read()...)
	if gcp.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, gcp.Explain("GetCluster", err)
	}
	return pb, nil
}
