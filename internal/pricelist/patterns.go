package pricelist

import (
	"regexp"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/cost"
)

// Ids of Google's services in the catalog.
const (
	compute    = "6F81-5844-456A"
	networking = "E505-1604-58F8"
	storage    = "95FF-2EF5-5EA1"
	kubernetes = "CCD8-9BF1-090E"
	artifacts  = "149C-F9EC-3994"
)

// Units of the catalog.
const (
	hour     = "h"
	gibHour  = "GiBy.h"
	gibMonth = "GiBy.mo" // 720 hours, which Google's pages call a month as well
	gib      = "GiBy"
	count    = "count"
)

// Usage types of the catalog. Commitments (Commit1Yr, Commit3Yr) are never list prices.
const (
	onDemand    = "OnDemand"
	preemptible = "Preemptible"
)

// kind of place that a price is of.
type scope int

const (
	regional scope = iota
	multi          // us, eu: locations that are several regions
	global         // one price everywhere
)

// pattern is how one key of the price book is found in the catalog: by the SKUs of a service that fit all of it.
type pattern struct {
	key     string
	per     cost.Unit // of the book
	service string
	match   *regexp.Regexp // the description
	except  *regexp.Regexp // nil: nothing
	usage   string         // "": any but a commitment
	group   string         // resource group; "": any
	unit    string         // of the catalog; a SKU in another one is no price of this key
	times   int64          // so many of the catalog's unit are one of the book's: 1000 mCPU a vCPU
	in      scope
}

// patterns is the whole table. The descriptions are those of the catalog as public programs and notes quote them; where two sources
// agree, or somebody printed the catalog's answer, the line says nothing, else how sure it is. None could be read in the catalog itself
// when this was written. A pattern that is wrong finds nothing, and the price stays as it was.
func patterns() []pattern {
	t := slices.Concat(autopilot(), buckets(), machines())
	re := regexp.MustCompile
	return append(t,
		// 6B92-A835-08AB Zonal, B561-BFBD-1264 Regional: one price.
		pattern{key: "gke.cluster.management", per: "cluster-hour", service: kubernetes, match: re(`^(Autopilot|Zonal|Regional) Kubernetes Clusters$`), unit: hour, times: 1, in: global},
		pattern{key: "artifactregistry.storage", per: "GiB-month", service: artifacts, match: re(`^Artifact Registry Storage$`), unit: gibMonth, times: 1, in: global},
		pattern{key: "pd.standard", per: "GiB-month", service: compute, match: re(`^Storage PD Capacity( in .+)?$`), usage: onDemand, unit: gibMonth, times: 1},
		pattern{key: "pd.balanced", per: "GiB-month", service: compute, match: re(`^Balanced PD Capacity( in .+)?$`), usage: onDemand, unit: gibMonth, times: 1},
		pattern{key: "pd.ssd", per: "GiB-month", service: compute, match: re(`^SSD backed PD Capacity( in .+)?$`), usage: onDemand, unit: gibMonth, times: 1},
		// Named anew in 2024: "Cloud Load Balancer Forwarding Rule Minimum Frankfurt". The additional one has a source of its name only.
		pattern{key: "lb.forwarding_rule.minimum", per: "hour", service: networking, match: re(`^(Network Load Balancing: |Cloud Load Balancer )Forwarding Rule Minimum( |$)`), unit: hour, times: 1},
		pattern{key: "lb.forwarding_rule.additional", per: "hour", service: networking, match: re(`^(Network Load Balancing: |Cloud Load Balancer )Forwarding Rule Additional( |$)`), unit: hour, times: 1},
		pattern{key: "network.external_ip.standard_vm", per: "hour", service: compute, match: re(`^External IP Charge on a Standard VM$`), unit: hour, times: 1, in: global},
		// One source, of the name only.
		pattern{key: "network.external_ip.spot_vm", per: "hour", service: compute, match: re(`^External IP Charge on a Spot Preemptible VM$`), unit: hour, times: 1, in: global},
		pattern{key: "network.static_ip.idle", per: "hour", service: compute, match: re(`^Static Ip Charge( in .+)?$`), unit: hour, times: 1},
		pattern{key: "network.nat.gateway_vm", per: "VM-hour", service: networking, match: re(`^Networking Cloud Nat Gateway Uptime$`), unit: hour, times: 1, in: global},
		pattern{key: "network.nat.data", per: "GiB", service: networking, match: re(`^Networking Cloud Nat Data Processing$`), unit: gib, times: 1, in: global},
		pattern{key: "network.nat.ip", per: "hour", service: networking, match: re(`^Networking Cloud NAT IP Usage$`), unit: hour, times: 1, in: global},
	)
}

// autopilot is what pods are billed for. The catalog counts CPU in thousandths.
func autopilot() []pattern {
	var t []pattern
	for _, class := range []struct{ key, words string }{{"general-purpose", ""}, {"balanced", "Balanced "}, {"scale-out-x86", "Scale-Out x86 "}} {
		for _, spot := range []struct{ key, words string }{{"regular", ""}, {"spot", "Spot "}} {
			for _, of := range []struct {
				key, words, unit string
				per              cost.Unit
				times            int64
			}{{"vcpu", "mCPU", hour, "vCPU-hour", 1000}, {"memory", "Memory", gibHour, "GiB-hour", 1}, {"ephemeral", "Ephemeral Storage", gibHour, "GiB-hour", 1}} {
				if of.key == "ephemeral" && class.words != "" {
					continue // one price for all classes
				}
				t = append(t, pattern{
					key: "gke.autopilot." + class.key + "." + spot.key + "." + of.key, per: of.per, service: kubernetes,
					match: regexp.MustCompile(`^Autopilot ` + class.words + spot.words + `Pod ` + of.words + ` Requests( \(.+\))?$`),
					unit:  of.unit, times: of.times,
				})
			}
		}
	}
	return t
}

// buckets is Cloud Storage. Dual-regions carry the names of their regions, and the regions' own places: "Standard Storage Iowa
// Dual-region" is no price of us-central1.
func buckets() []pattern {
	var t []pattern
	for class, group := range map[string]string{"Standard": "RegionalStorage", "Nearline": "NearlineStorage", "Coldline": "ColdlineStorage", "Archive": "ArchiveStorage"} {
		key, everywhere := "gcs.storage."+strings.ToLower(class), group
		if class == "Standard" {
			everywhere = "MultiRegionalStorage"
		}
		t = append(t,
			pattern{
				key: key, per: "GiB-month", service: storage, usage: onDemand, group: group, unit: gibMonth, times: 1,
				match: regexp.MustCompile(`^` + class + ` Storage `), except: regexp.MustCompile(`(?i)dual-region|multi-region|early delete|autoclass|HNS`),
			},
			pattern{
				key: key, per: "GiB-month", service: storage, usage: onDemand, group: everywhere, unit: gibMonth, times: 1, in: multi,
				match: regexp.MustCompile(`^` + class + ` Storage (US|EU|Europe) Multi-region$`),
			},
		)
	}
	for _, of := range []string{"A", "B"} {
		t = append(t, pattern{
			key: "gcs.ops.class_" + strings.ToLower(of) + ".standard.regional", per: "1000-operations", service: storage, group: "RegionalOps",
			match: regexp.MustCompile(`^Regional Standard Class ` + of + ` Operations$`), unit: count, times: 1000, in: global,
		})
	}
	return t
}

// machines is the cores and the memory of nodes; custom machines and sole tenancy have other names.
func machines() []pattern {
	var t []pattern
	for _, family := range []string{"E2", "N2"} {
		for _, spot := range []struct{ key, words, usage string }{{"regular", "", onDemand}, {"spot", "Spot Preemptible ", preemptible}} {
			key := "gce." + strings.ToLower(family) + "." + spot.key
			words := `^` + spot.words + family + ` Instance `
			t = append(t,
				pattern{key: key + ".vcpu", per: "vCPU-hour", service: compute, usage: spot.usage, match: regexp.MustCompile(words + `Core running in `), unit: hour, times: 1},
				pattern{key: key + ".memory", per: "GiB-hour", service: compute, usage: spot.usage, match: regexp.MustCompile(words + `Ram running in `), unit: gibHour, times: 1},
			)
		}
	}
	return t
}

// places are the regions of a pattern among some.
func (p *pattern) places(regions []string) []string {
	if p.in == global {
		return []string{cost.Global}
	}
	var in []string
	for _, r := range regions {
		if r != cost.Global && (p.in == regional) == strings.Contains(r, "-") {
			in = append(in, r)
		}
	}
	return in
}

// takes reports whether a SKU is one of this key, whatever its region.
func (p *pattern) takes(s *SKU) bool {
	return s.Service == p.service && p.match.MatchString(s.Description) && (p.except == nil || !p.except.MatchString(s.Description)) &&
		(p.group == "" || s.Group == p.group) && (s.Usage == p.usage || p.usage == "" && !strings.HasPrefix(s.Usage, "Commit"))
}

// of reports whether the SKU is sold in a place of the book.
func (s *SKU) of(region string) bool {
	return region == cost.Global || slices.Contains(s.Regions, region) || region == "eu" && slices.Contains(s.Regions, "europe")
}
