package leftover

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"google.golang.org/api/compute/v1"
)

// How GKE marks what it makes for a cluster.
const (
	labelID          = "goog-gke-cluster-id-base32" // of disks
	balancerFirewall = "k8s-fw-"                    // begins the firewall rule of a Service's load balancer; its name follows
	ingressFirewall  = "k8s-fw-l7--"                // begins that of all Ingresses; their controller's id follows
	ingressRule      = "k8s-fw"                     // begins the forwarding rule of an Ingress, which ends in "--" and that id
	endpointGroup    = "k8s1-"                      // begins a network endpoint group; the beginning of that id follows
	groupIDLength    = 8                            // of that id, there
	tagIDLength      = 8                            // of the cluster's id, in the tag of its nodes
)

// Label is the cluster's id as the label has it; "" if the id is none that could be written so.
func (c Cluster) Label() string {
	raw, err := hex.DecodeString(c.ID)
	if err != nil || len(raw) == 0 {
		return ""
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
}

// tagged reports whether one of tags is that of the cluster's nodes: gke-NAME-12345678-node, and gk3- on Autopilot.
func (c Cluster) tagged(tags []string) bool {
	if len(c.ID) < tagIDLength {
		return false
	}
	for _, tag := range tags {
		if (strings.HasPrefix(tag, "gke-") || strings.HasPrefix(tag, "gk3-")) && strings.HasSuffix(tag, "-"+c.ID[:tagIDLength]+"-node") {
			return true
		}
	}
	return false
}

// made reports whether a forwarding rule is that of a Service or an Ingress of the cluster.
func (m makers) made(r *compute.ForwardingRule) bool {
	if m.services[r.Name] && strings.Contains(r.Description, "kubernetes.io/service-name") {
		return true
	}
	i := strings.LastIndex(r.Name, "--")
	return i >= 0 && strings.HasPrefix(r.Name, ingressRule) && m.controllers[r.Name[i+len("--"):]]
}

// grouped reports whether an endpoint group is of a controller of the cluster.
func (m makers) grouped(g *compute.NetworkEndpointGroup) bool {
	rest, ok := strings.CutPrefix(g.Name, endpointGroup)
	for id := range m.controllers {
		if ok && len(id) >= groupIDLength && strings.HasPrefix(rest, id[:groupIDLength]+"-") && strings.Contains(g.Description, "cluster-uid") {
			return true
		}
	}
	return false
}

// place is gcloud's flag for a scope such as zones/us-central1-a, and its short name.
func place(scope string) (flag, name string) {
	switch kind, name, _ := strings.Cut(scope, "/"); kind {
	case "zones":
		return "--zone " + name, name
	case "regions":
		return "--region " + name, name
	}
	return "--global", "global"
}

func last(link string) string { return path.Base(link) }

// List prices in US dollars until the program has a price book: a GiB of disk for a month, and a forwarding rule for a month of 730 hours,
// which is the price of the first five together. Google's price pages and catalog, read between July and October 2026.
var (
	diskPrices = map[string]map[string]float64{
		"us-central1":     {"pd-standard": 0.040, "pd-balanced": 0.100, "pd-ssd": 0.170},
		"europe-west1":    {"pd-standard": 0.040, "pd-balanced": 0.100, "pd-ssd": 0.170},
		"asia-southeast1": {"pd-standard": 0.044, "pd-balanced": 0.110, "pd-ssd": 0.187},
	}
	rulePrices = map[string]float64{"us-central1": 0.025 * 730, "europe-west1": 0.025 * 730}
)

const unpriced = "price not known here"

func diskPrice(d *compute.Disk, place string) string {
	price, ok := diskPrices[regionOf(place)][last(d.Type)]
	if !ok {
		return unpriced
	}
	return fmt.Sprintf("$%.2f a month", price*float64(d.SizeGb)*float64(max(1, len(d.ReplicaZones))))
}

func rulePrice(place string) string {
	price, ok := rulePrices[place]
	if !ok {
		return unpriced
	}
	return fmt.Sprintf("up to $%.2f a month", price)
}

// regionOf is the region of a zone, or the region itself.
func regionOf(place string) string {
	if strings.Count(place, "-") == 2 {
		return place[:strings.LastIndex(place, "-")]
	}
	return place
}
