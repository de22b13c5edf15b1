package gcptest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	computev1 "google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// vpc is the state of Compute Engine, as much of it as networks need and clusters leave behind.
type vpc struct {
	networks map[string]*computev1.Network    // by name
	subnets  map[string]*computev1.Subnetwork // by regions/R/subnetworks/N
	routers  map[string]*computev1.Router     // by regions/R/routers/N
	ops      map[string]*computeOp            // by name
	errors   []string                         // how the next operations end
	silent   map[string]bool                  // regions that listings get no answer from
	quotas   map[string]float64               // by metric: how much of a limit of 100 is in use, in every region

	disks     []*computev1.Disk
	rules     []*computev1.ForwardingRule
	groups    []*computev1.NetworkEndpointGroup
	firewalls []*computev1.Firewall
}

func newVPC() *vpc {
	return &vpc{
		networks: map[string]*computev1.Network{}, subnets: map[string]*computev1.Subnetwork{}, routers: map[string]*computev1.Router{},
		ops: map[string]*computeOp{}, silent: map[string]bool{},
		quotas: map[string]float64{"CPUS": 12, "DISKS_TOTAL_GB": 40, "NVIDIA_T4_GPUS": 100},
	}
}

const computeBase = "/compute/v1/projects/{p}/"

// serveCompute speaks as Compute Engine does: names are links, writes answer with operations, errors have a reason and no code's name.
func (s *Server) serveCompute(mux *http.ServeMux) {
	handle := func(method, verb, path string, write bool, act storageCall) {
		mux.HandleFunc(verb+" "+computeBase+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if err != nil {
				writeStorageError(w, bad("%v", err))
				return
			}
			target := r.PathValue("n")
			if target == "" && write {
				target = nameIn(body)
			}
			var answer []byte
			err = s.serve(r.Context(), Call{Service: gcp.Compute, Method: "compute." + method, Target: target, Write: write}, func() error {
				if r.PathValue("p") != s.project {
					return denied("compute."+method, "project")
				}
				a, err := act(r, body)
				if err == nil {
					answer, err = json.Marshal(a) // here, because it is the state itself
				}
				return err
			})
			if err != nil {
				writeStorageError(w, err)
				return
			}
			writeJSON(w, answer)
		})
	}
	handle("regions.get", "GET", "regions/{n}", false, s.getRegion)
	handle("networks.list", "GET", "global/networks", false, s.listNetworks)
	handle("networks.get", "GET", "global/networks/{n}", false, s.getNetwork)
	handle("networks.insert", "POST", "global/networks", true, s.insertNetwork)
	handle("networks.patch", "PATCH", "global/networks/{n}", true, s.patchNetwork)
	handle("subnetworks.aggregatedList", "GET", "aggregated/subnetworks", false, s.listSubnets)
	handle("subnetworks.get", "GET", "regions/{r}/subnetworks/{n}", false, s.getSubnet)
	handle("subnetworks.insert", "POST", "regions/{r}/subnetworks", true, s.insertSubnet)
	handle("subnetworks.patch", "PATCH", "regions/{r}/subnetworks/{n}", true, s.patchSubnet)
	handle("subnetworks.expandIpCidrRange", "POST", "regions/{r}/subnetworks/{n}/expandIpCidrRange", true, s.expandSubnet)
	handle("subnetworks.setPrivateIpGoogleAccess", "POST", "regions/{r}/subnetworks/{n}/setPrivateIpGoogleAccess", true, s.setPrivateAccess)
	handle("routers.aggregatedList", "GET", "aggregated/routers", false, s.listRouters)
	handle("routers.get", "GET", "regions/{r}/routers/{n}", false, s.getRouter)
	handle("routers.insert", "POST", "regions/{r}/routers", true, s.insertRouter)
	handle("routers.patch", "PATCH", "regions/{r}/routers/{n}", true, s.patchRouter)
	handle("routers.delete", "DELETE", "regions/{r}/routers/{n}", true, s.deleteRouter)
	handle("globalOperations.aggregatedList", "GET", "aggregated/operations", false, s.listComputeOps)
	handle("globalOperations.get", "GET", "global/operations/{n}", false, s.getComputeOp)
	handle("regionOperations.get", "GET", "regions/{r}/operations/{n}", false, s.getComputeOp)
	handle("disks.aggregatedList", "GET", "aggregated/disks", false, s.listDisks)
	handle("forwardingRules.aggregatedList", "GET", "aggregated/forwardingRules", false, s.listForwardingRules)
	handle("networkEndpointGroups.aggregatedList", "GET", "aggregated/networkEndpointGroups", false, s.listEndpointGroups)
	handle("firewalls.list", "GET", "global/firewalls", false, s.listFirewalls)
}

// UseQuota has so much of a limit of 100 be in use.
func (s *Server) UseQuota(metric string, used float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vpc.quotas[metric] = used
}

func (s *Server) getRegion(r *http.Request, _ []byte) (any, error) {
	region := &computev1.Region{Name: r.PathValue("n")}
	if !strings.Contains(region.Name, "-") {
		return nil, s.missing404("regions/" + region.Name)
	}
	for _, metric := range slices.Sorted(maps.Keys(s.vpc.quotas)) {
		region.Quotas = append(region.Quotas, &computev1.Quota{Metric: metric, Limit: 100, Usage: s.vpc.quotas[metric]})
	}
	return region, nil
}

// link is the full name of something, such as global/networks/main.
func (s *Server) link(path string) string {
	return "https://www.googleapis.com/compute/v1/projects/" + s.project + "/" + path
}

// missing404 is Compute Engine's answer about what is not there.
func (s *Server) missing404(path string) error {
	return refusal{http.StatusNotFound, "notFound", "The resource 'projects/" + s.project + "/" + path + "' was not found"}
}

func (s *Server) exists409(path string) error {
	return refusal{http.StatusConflict, "alreadyExists", "The resource 'projects/" + s.project + "/" + path + "' already exists"}
}

func (s *Server) unready(path string) error {
	return refusal{http.StatusBadRequest, "resourceNotReady", "The resource 'projects/" + s.project + "/" + path + "' is not ready"}
}

func networkPath(name string) string { return "global/networks/" + name }

func (s *Server) listNetworks(r *http.Request, _ []byte) (any, error) {
	names := slices.Sorted(maps.Keys(s.vpc.networks))
	from, to, next, err := s.page(r.URL.Query().Get("pageToken"), r.URL.Query().Get("maxResults"), len(names))
	if err != nil {
		return nil, err
	}
	list := &computev1.NetworkList{Kind: "compute#networkList", NextPageToken: next}
	for _, name := range names[from:to] {
		list.Items = append(list.Items, s.networkView(name))
	}
	return list, nil
}

// networkView is a network with the links of its subnets.
func (s *Server) networkView(name string) *computev1.Network {
	n := *s.vpc.networks[name]
	for _, path := range slices.Sorted(maps.Keys(s.vpc.subnets)) {
		if s.vpc.subnets[path].Network == n.SelfLink {
			n.Subnetworks = append(n.Subnetworks, s.link(path))
		}
	}
	return &n
}

func (s *Server) getNetwork(r *http.Request, _ []byte) (any, error) {
	name := r.PathValue("n")
	if s.vpc.networks[name] == nil {
		return nil, s.missing404(networkPath(name))
	}
	return s.networkView(name), nil
}

func (s *Server) insertNetwork(_ *http.Request, body []byte) (any, error) {
	in, said := &computev1.Network{}, map[string]any{}
	if err := errorsOf(json.Unmarshal(body, in), json.Unmarshal(body, &said)); err != nil {
		return nil, err
	}
	path := networkPath(in.Name)
	if err := checkComputeName("network", in.Name); err != nil {
		return nil, err
	}
	if s.vpc.networks[in.Name] != nil {
		return nil, s.exists409(path)
	}
	if _, ok := said["autoCreateSubnetworks"]; !ok {
		return nil, bad("Invalid value for field 'resource': ''. Legacy networks are no longer supported: autoCreateSubnetworks must be set.")
	}
	n := &computev1.Network{
		Kind: "compute#network", Id: uint64(s.next()), Name: in.Name, Description: in.Description, AutoCreateSubnetworks: in.AutoCreateSubnetworks,
		SelfLink: s.link(path), CreationTimestamp: time.Now().UTC().Format(time.RFC3339), Mtu: in.Mtu, RoutingConfig: in.RoutingConfig,
		NetworkFirewallPolicyEnforcementOrder: "AFTER_CLASSIC_FIREWALL",
	}
	fillNetwork(n)
	if err := checkNetwork(n); err != nil {
		return nil, err
	}
	s.vpc.networks[n.Name] = n
	return s.beginCompute("insert", path, n.Id, nil, func() { delete(s.vpc.networks, n.Name) }), nil
}

// fillNetwork gives what Google gives where nothing is said.
func fillNetwork(n *computev1.Network) {
	if n.RoutingConfig == nil || n.RoutingConfig.RoutingMode == "" {
		n.RoutingConfig = &computev1.NetworkRoutingConfig{RoutingMode: "REGIONAL"}
	}
	n.RoutingConfig.BgpBestPathSelectionMode = "LEGACY"
	if n.Mtu == 0 {
		n.Mtu = 1460
	}
}

func checkNetwork(n *computev1.Network) error {
	if m := n.RoutingConfig.RoutingMode; m != "REGIONAL" && m != "GLOBAL" {
		return bad("Invalid value for field 'resource.routingConfig.routingMode': '%s'.", m)
	}
	if n.Mtu < 1300 || n.Mtu > 8896 {
		return bad("Invalid value for field 'resource.mtu': '%d'. MTU must be between 1300 and 8896.", n.Mtu)
	}
	return nil
}

// patchNetwork takes what Google takes: the rest of a network is as it was made.
func (s *Server) patchNetwork(r *http.Request, body []byte) (any, error) {
	path := networkPath(r.PathValue("n"))
	n := s.vpc.networks[r.PathValue("n")]
	if n == nil {
		return nil, s.missing404(path)
	}
	if s.busy(path) {
		return nil, s.unready(path)
	}
	said := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	next := *n
	for field, value := range said {
		var err error
		switch field {
		case "routingConfig":
			next.RoutingConfig = &computev1.NetworkRoutingConfig{}
			err = json.Unmarshal(value, next.RoutingConfig)
		case "mtu":
			err = json.Unmarshal(value, &next.Mtu)
		default:
			return nil, bad("Invalid value for field 'resource.%s': cannot be changed.", field)
		}
		if err != nil {
			return nil, bad("Parse Error: %v", err)
		}
	}
	fillNetwork(&next)
	if err := checkNetwork(&next); err != nil {
		return nil, err
	}
	return s.beginCompute("patch", path, n.Id, func() { *n = next }, nil), nil
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return bad("Parse Error: %v", err)
		}
	}
	return nil
}

// shortName is the last word of a link.
func shortName(link string) string { return link[strings.LastIndex(link, "/")+1:] }
