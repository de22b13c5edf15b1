package gcptest

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/api/cloudbilling/v1"
)

// Services of the catalog.
const (
	SKUsOfCompute    = "6F81-5844-456A"
	SKUsOfNetworking = "E505-1604-58F8"
	SKUsOfStorage    = "95FF-2EF5-5EA1"
	SKUsOfKubernetes = "CCD8-9BF1-090E"
	SKUsOfArtifacts  = "149C-F9EC-3994"
)

// Catalog is a small part of the real catalog: descriptions, ids, units and steps as public programs and notes quote them (an id of
// zeros was in no source, and where that has a figure of its own kind it is made up to be recognized). Beside what is looked for it has
// what must not be taken for it: commitments, dual-regions, early deletion, custom machines, other families.
func Catalog() map[string][]*cloudbilling.Sku {
	const us, be, sg = "us-central1", "europe-west1", "asia-southeast1"
	iowa := us + " us-east1 us-west1" // "Americas" is several regions
	return map[string][]*cloudbilling.Sku{
		SKUsOfKubernetes: {
			NewSKU("6B92-A835-08AB", "Zonal Kubernetes Clusters", "Compute", "OnDemand", "global", "h", "0.1"),
			NewSKU("B561-BFBD-1264", "Regional Kubernetes Clusters", "Compute", "OnDemand", "global", "h", "0.1"),
			NewSKU("0000-0000-0001", "Autopilot Kubernetes Clusters", "Compute", "OnDemand", "global", "h", "0.1"),
			NewSKU("0000-0000-0002", "Extended Period Kubernetes Clusters", "Compute", "OnDemand", "global", "h", "0.5"),
			NewSKU("0000-0000-0011", "Autopilot Pod mCPU Requests (us-central1)", "GKEAutopilot", "OnDemand", us, "h", "0.0000445"),
			NewSKU("0000-0000-0012", "Autopilot Pod Memory Requests (us-central1)", "GKEAutopilot", "OnDemand", us, "GiBy.h", "0.0049225"),
			NewSKU("0000-0000-0013", "Autopilot Pod Ephemeral Storage Requests (us-central1)", "GKEAutopilot", "OnDemand", us, "GiBy.h", "0.0000548"),
			NewSKU("0000-0000-0014", "Autopilot Spot Pod mCPU Requests (us-central1)", "GKEAutopilot", "Preemptible", us, "h", "0.0000133"),
			NewSKU("0000-0000-0015", "Autopilot Spot Pod Memory Requests (us-central1)", "GKEAutopilot", "Preemptible", us, "GiBy.h", "0.0014767"),
			NewSKU("0000-0000-0016", "Autopilot Scale-Out Arm Pod mCPU Requests (us-central1)", "GKEAutopilot", "OnDemand", us, "h", "0.0000356"),
			NewSKU("0000-0000-0017", "Autopilot Balanced Pod mCPU Requests (us-central1)", "GKEAutopilot", "OnDemand", us, "h", "0.0000645"),
			NewSKU("0000-0000-0018", "Autopilot Pod mCPU Requests (us-central1) - Commitment: 1 Year", "GKEAutopilot", "Commit1Yr", us, "h", "0.0000356"),
			NewSKU("F3C6-E37E-910A", "Autopilot Pod mCPU Requests (europe-west3)", "GKEAutopilot", "OnDemand", "europe-west3", "h", "0.0000573"),
			NewSKU("0000-0000-0019", "Autopilot Pod mCPU Requests (europe-west1)", "GKEAutopilot", "OnDemand", be, "h", "0.000051"), // dearer than in the book
		},
		SKUsOfStorage: {
			NewSKU("E5F0-6A5D-7BAD", "Standard Storage US Regional", "RegionalStorage", "OnDemand", iowa, "GiBy.mo", "0", "5:0.02"),
			NewSKU("0000-0000-0021", "Standard Storage Iowa Dual-region", "MultiRegionalStorage", "OnDemand", us, "GiBy.mo", "0.022"),
			NewSKU("CBAE-5A46-5152", "Standard Storage Belgium/London Dual-region", "MultiRegionalStorage", "OnDemand", be+" europe-west2", "GiBy.mo", "0.0276"),
			NewSKU("0000-0000-0022", "Standard Storage Belgium", "RegionalStorage", "OnDemand", be, "GiBy.mo", "0.02"),
			NewSKU("0000-0000-0023", "Nearline Storage Belgium (Early Delete)", "NearlineStorage", "OnDemand", be, "GiBy.mo", "0.03"),
			NewSKU("0000-0000-0024", "Nearline Storage Belgium", "NearlineStorage", "OnDemand", be, "GiBy.mo", "0.01"),
			NewSKU("0000-0000-0025", "Autoclass Standard Storage Belgium", "RegionalStorage", "OnDemand", be, "GiBy.mo", "0.02"),
			NewSKU("BB55-3E5A-405C", "Standard Storage London", "RegionalStorage", "OnDemand", "europe-west2", "GiBy.mo", "0.023"),
			NewSKU("3C81-A91C-A94F", "Nearline Storage London", "NearlineStorage", "OnDemand", "europe-west2", "GiBy.mo", "0.013"),
			NewSKU("0000-0000-0026", "Standard Storage Singapore", "RegionalStorage", "OnDemand", sg, "GiBy.mo", "0.02"),
			NewSKU("0000-0000-0027", "Standard Storage US Multi-region", "MultiRegionalStorage", "OnDemand", "us", "GiBy.mo", "0.026"),
			NewSKU("0000-0000-0028", "Standard Storage Europe Multi-region", "MultiRegionalStorage", "OnDemand", "europe", "GiBy.mo", "0.026"),
			NewSKU("4DBF-185F-A415", "Regional Standard Class A Operations", "RegionalOps", "OnDemand", "global", "count", "0", "5000:0.000005"),
			NewSKU("0000-0000-0029", "Regional Standard Tagging Class A Operations", "RegionalOps", "OnDemand", "global", "count", "0", "5000:0.000005"),
			NewSKU("7870-010B-2763", "Regional Standard Class B Operations", "RegionalOps", "OnDemand", "global", "count", "0", "50000:0.0000004"),
		},
		SKUsOfArtifacts: {
			NewSKU("8502-299A-ABAF", "Artifact Registry Storage", "Storage", "OnDemand", "global", "GiBy.mo", "0", "0.5:0.1"),
		},
		SKUsOfCompute: {
			NewSKU("0000-0000-0031", "Storage PD Capacity", "PDStandard", "OnDemand", iowa, "GiBy.mo", "0", "30:0.04"),
			NewSKU("0000-0000-0032", "Balanced PD Capacity", "SSD", "OnDemand", iowa+" "+be, "GiBy.mo", "0.1"),
			NewSKU("0000-0000-0033", "Regional Balanced PD Capacity", "SSD", "OnDemand", iowa, "GiBy.mo", "0.2"),
			NewSKU("0000-0000-0034", "Balanced PD Capacity in Singapore", "SSD", "OnDemand", sg, "GiBy.mo", "0.11"),
			NewSKU("0000-0000-0035", "SSD backed PD Capacity", "SSD", "OnDemand", iowa+" "+be, "GiBy.mo", "0.17"),
			NewSKU("0000-0000-0041", "E2 Instance Core running in Americas", "CPU", "OnDemand", iowa, "h", "0.02181159"),
			NewSKU("0000-0000-0042", "E2 Instance Ram running in Americas", "RAM", "OnDemand", iowa, "GiBy.h", "0.00292353"),
			NewSKU("0000-0000-0043", "E2 Custom Instance Core running in Americas", "CPU", "OnDemand", iowa, "h", "0.02290217"),
			NewSKU("0000-0000-0044", "Spot Preemptible E2 Instance Core running in Americas", "CPU", "Preemptible", iowa, "h", "0.0087"),
			NewSKU("0000-0000-0045", "Commitment v1: E2 Cpu in Americas for 1 Year", "CPU", "Commit1Yr", iowa, "h", "0.01374"),
			NewSKU("D982-F0A1-332B", "N2 Instance Core running in Americas", "N2Standard", "OnDemand", iowa, "h", "0.031611"),
			NewSKU("0000-0000-0046", "N2D AMD Instance Core running in Americas", "CPU", "OnDemand", iowa, "h", "0.027502"),
			NewSKU("0000-0000-0047", "Spot Preemptible N2 Instance Core running in Americas", "CPU", "Preemptible", iowa, "h", "0.00765"),
			NewSKU("C054-7F72-A02E", "External IP Charge on a Standard VM", "IpAddress", "OnDemand", "global", "h", "0", "744:0.005"),
			NewSKU("4AF8-7C1F-39C4", "External IP Charge on a Spot Preemptible VM", "IpAddress", "OnDemand", "global", "h", "0.0025"),
			NewSKU("66A2-68EA-0000", "Static Ip Charge", "IpAddress", "OnDemand", iowa, "h", "0.01"),
		},
		SKUsOfNetworking: {
			NewSKU("DEE3-C42E-3E4D", "Cloud Load Balancer Forwarding Rule Minimum Global", "LoadBalancing", "OnDemand", "global", "h", "0.025"),
			NewSKU("1211-928B-AF92", "Cloud Load Balancer Forwarding Rule Additional Global", "LoadBalancing", "OnDemand", "global", "h", "0.01"),
			NewSKU("C68C-D380-ED83", "Cloud Load Balancer Forwarding Rule Minimum Frankfurt", "LoadBalancing", "OnDemand", "europe-west3", "h", "0.03"),
			NewSKU("0000-0000-0051", "Network Load Balancing: Forwarding Rule Minimum Service Charge in Singapore", "LoadBalancing", "OnDemand", sg, "h", "0.028"),
			NewSKU("22FA-9BFA-EC10", "Regional External Application Load Balancer Forwarding Rule Minimum for Mumbai", "LoadBalancing", "OnDemand", "asia-south1", "h", "0.025"),
			NewSKU("32E2-4EFC-EF9F", "Networking Cloud Nat Gateway Uptime", "NAT", "OnDemand", "global", "h", "0.0014"),
			NewSKU("015F-5732-FFF0", "Networking Cloud Nat Data Processing", "NAT", "OnDemand", "global", "GiBy", "0.045"),
			NewSKU("8515-9425-D2CE", "Networking Cloud NAT IP Usage", "NAT", "OnDemand", "global", "h", "0.005"),
		},
	}
}

// NewSKU is one of the catalog. A rate is dollars, or START:DOLLARS; regions are separated by spaces. What is not a decimal of at most
// nine digits behind the point is a fault of the test, and panics.
func NewSKU(id, description, group, usage, regions, unit string, rates ...string) *cloudbilling.Sku {
	var tiers []*cloudbilling.TierRate
	for _, r := range rates {
		start, dollars, ok := strings.Cut(r, ":")
		if !ok {
			start, dollars = "0", r
		}
		from, err := strconv.ParseFloat(start, 64)
		whole, part, _ := strings.Cut(dollars, ".")
		units, err2 := strconv.ParseInt(whole, 10, 64)
		nanos, err3 := strconv.ParseInt(part+strings.Repeat("0", max(9-len(part), 0)), 10, 64)
		if err != nil || err2 != nil || err3 != nil || len(part) > 9 {
			panic(fmt.Sprintf("gcptest: %q is no rate", r))
		}
		tiers = append(tiers, &cloudbilling.TierRate{
			StartUsageAmount: from, UnitPrice: &cloudbilling.Money{CurrencyCode: "USD", Units: units, Nanos: nanos},
			ForceSendFields: []string{"StartUsageAmount"},
		})
	}
	var interval *cloudbilling.AggregationInfo
	if len(tiers) > 1 {
		interval = &cloudbilling.AggregationInfo{AggregationLevel: "ACCOUNT", AggregationInterval: "MONTHLY", AggregationCount: 1}
	}
	return &cloudbilling.Sku{
		SkuId: id, Description: description, ServiceRegions: strings.Fields(regions), ServiceProviderName: "Google",
		Category: &cloudbilling.Category{ResourceGroup: group, UsageType: usage},
		PricingInfo: []*cloudbilling.PricingInfo{{
			EffectiveTime: "2026-11-25T08:00:00Z", CurrencyConversionRate: 1, AggregationInfo: interval,
			PricingExpression: &cloudbilling.PricingExpression{UsageUnit: unit, DisplayQuantity: 1, TieredRates: tiers},
		}},
	}
}
