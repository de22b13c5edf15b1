package gcptest

import (
	"maps"
	"slices"
	"time"

	computev1 "google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Network is a copy of a network as it is now; nil if there is none.
func (s *Server) Network(name string) *computev1.Network {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	if s.vpc.networks[name] == nil {
		return nil
	}
	return s.networkView(name)
}

// Subnet is a copy of a subnet as it is now; nil if there is none.
func (s *Server) Subnet(region, name string) *computev1.Subnetwork {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	if n := s.vpc.subnets[subnetPath(region, name)]; n != nil {
		c := *n
		return &c
	}
	return nil
}

// Router is a copy of a Cloud Router as it is now; nil if there is none.
func (s *Server) Router(region, name string) *computev1.Router {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	if r := s.vpc.routers[routerPath(region, name)]; r != nil {
		c := *r
		c.Nats = slices.Clone(c.Nats)
		return &c
	}
	return nil
}

// AddNetwork puts a network there that somebody else made.
func (s *Server) AddNetwork(n *computev1.Network) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.Kind, n.Id, n.SelfLink = "compute#network", uint64(s.next()), s.link(networkPath(n.Name))
	fillNetwork(n)
	s.vpc.networks[n.Name] = n
}

// AddSubnet puts a subnet into a network that somebody else made.
func (s *Server) AddSubnet(network, region string, n *computev1.Subnetwork) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := subnetPath(region, n.Name)
	n.Kind, n.Id, n.SelfLink, n.Network, n.Region = "compute#subnetwork", uint64(s.next()), s.link(path), s.link(networkPath(network)), s.link("regions/"+region)
	s.fillSubnet(n)
	s.vpc.subnets[path] = n
}

// EditNetwork changes a network as somebody else would.
func (s *Server) EditNetwork(name string, edit func(*computev1.Network)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	if n := s.vpc.networks[name]; n != nil {
		edit(n)
		s.edited(gcp.Compute, "v1.compute.networks.patch", "projects/"+s.project+"/global/networks/"+name, "")
	}
}

// EditSubnet changes a subnet as somebody else would. Its fingerprint changes with it.
func (s *Server) EditSubnet(region, name string, edit func(*computev1.Subnetwork)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	if n := s.vpc.subnets[subnetPath(region, name)]; n != nil {
		n.SecondaryIpRanges = slices.Clone(n.SecondaryIpRanges)
		edit(n)
		s.fillSubnet(n)
		s.edited(gcp.Compute, "v1.compute.subnetworks.patch", "projects/"+s.project+"/regions/"+region+"/subnetworks/"+name, "")
	}
}

// EditRouter changes a router as somebody else would.
func (s *Server) EditRouter(region, name string, edit func(*computev1.Router)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	if r := s.vpc.routers[routerPath(region, name)]; r != nil {
		edit(r)
		s.edited(gcp.Compute, "v1.compute.routers.patch", "projects/"+s.project+"/regions/"+region+"/routers/"+name, "")
	}
}

// RemoveSubnet takes a subnet away at once.
func (s *Server) RemoveSubnet(region, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.vpc.subnets, subnetPath(region, name))
}

// RemoveRouter takes a router away at once.
func (s *Server) RemoveRouter(region, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.vpc.routers, routerPath(region, name))
}

// RemoveNetwork takes a network away at once, with everything in it.
func (s *Server) RemoveNetwork(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	link := s.link(networkPath(name))
	maps.DeleteFunc(s.vpc.subnets, func(_ string, n *computev1.Subnetwork) bool { return n.Network == link })
	maps.DeleteFunc(s.vpc.routers, func(_ string, r *computev1.Router) bool { return r.Network == link })
	delete(s.vpc.networks, name)
}

// SetSilentRegions has Compute Engine get no answer from these regions and zones, and say so where it lists.
func (s *Server) SetSilentRegions(regions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vpc.silent = map[string]bool{}
	for _, r := range regions {
		s.vpc.silent[r] = true
	}
}
