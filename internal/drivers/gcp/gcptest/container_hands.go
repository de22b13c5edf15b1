package gcptest

import (
	"maps"
	"path"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/protobuf/proto"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// EditCluster changes a cluster as somebody else would, by its short name. Everything that guards writes changes with it.
func (s *Server) EditCluster(name string, edit func(*containerpb.Cluster)) {
	s.editCluster(name, "UpdateCluster", "", edit)
}

// editCluster is EditCluster by a method of the service on something below the cluster; "" is the cluster itself.
func (s *Server) editCluster(name, method, below string, edit func(*containerpb.Cluster)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	for id, c := range s.clusters {
		if path.Base(id) == name {
			edit(c.pb)
			s.touch(c.pb)
			s.edited(gcp.Container, "google.container.v1.ClusterManager."+method, id+below, "")
		}
	}
}

// Cluster is a copy of a cluster as it is now, by its short name; nil if there is none.
func (s *Server) Cluster(name string) *containerpb.Cluster {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	for id, c := range s.clusters {
		if path.Base(id) == name {
			return proto.CloneOf(c.pb)
		}
	}
	return nil
}

// RemoveCluster takes a cluster away at once, as Google does with one in error.
func (s *Server) RemoveCluster(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.clusters, func(id string, _ *cluster) bool { return path.Base(id) == name })
}

// SetMissingZones has listings of clusters leave out these locations, and say so.
func (s *Server) SetMissingZones(zones ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing = zones
}

// SetClusterEndpoint has every cluster, those that run already too, report this address (host:port) and certificate authority.
func (s *Server) SetClusterEndpoint(endpoint string, caPEM []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoint, s.caPEM = endpoint, caPEM
	for _, c := range s.clusters {
		c.pb.MasterAuth = s.masterAuth()
		if c.pb.Endpoint != "" {
			c.pb.Endpoint = endpoint
		}
		s.touch(c.pb)
	}
}
