package kube

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"recsysd.dev/recsysd/internal/resource"
)

// ingress waits for its address where GKE's controller is to give it one: by its annotation, or where no other class is named. Other
// controllers may never say one.
func ingress(m map[string]any) (resource.State, string) {
	class := cmp.Or(text(m, "metadata", "annotations", "kubernetes.io/ingress.class"), text(m, "spec", "ingressClassName"), "gce")
	if strings.HasPrefix(class, "gce") && len(list(m, "status", "loadBalancer", "ingress")) == 0 {
		return resource.Pending, "waiting for the load balancer's address"
	}
	return resource.Ready, ""
}

// certificate: Google makes it once the host's name leads to the Ingress, which a person sees to after that has its address. So it holds
// nobody up while it is awaited.
func certificate(m map[string]any) (resource.State, string) {
	var hosts []string
	for _, d := range objects(list(m, "status", "domainStatus")) {
		if s := text(d, "status"); s != "Active" {
			hosts = append(hosts, text(d, "domain")+" is "+s)
		}
	}
	said := strings.Join(hosts, ", ")
	switch status := text(m, "status", "certificateStatus"); status {
	case "Active":
		return resource.Ready, ""
	case "ProvisioningFailedPermanently":
		return resource.Broken, strings.TrimSuffix("Google has given up making the certificate: "+said, ": ")
	case "":
		return resource.Ready, "the certificate is not made yet"
	default:
		return resource.Ready, strings.TrimSuffix("the certificate is "+status+", and needs the host's name to lead to the address: "+said, ": ")
	}
}

// autoscaler is as it should be once it exists; that it cannot see the pods' use, or how many there should be, is told.
func autoscaler(m map[string]any) (resource.State, string) {
	for _, kind := range []string{"AbleToScale", "ScalingActive"} {
		if status, reason, message := condition(m, kind); status == "False" && reason != "ScalingDisabled" { // with no pods it rests
			return resource.Ready, message
		}
	}
	return resource.Ready, ""
}

// cronJob exists to start Jobs. That the last of them did not succeed is told, and holds nobody up.
func cronJob(m map[string]any) (resource.State, string) {
	started, succeeded := text(m, "status", "lastScheduleTime"), text(m, "status", "lastSuccessfulTime")
	if started != "" && succeeded < started && len(list(m, "status", "active")) == 0 { // times in UTC compare as texts
		return resource.Ready, fmt.Sprintf("the run of %s did not succeed; the last that did ended %s", started, cmp.Or(succeeded, "never"))
	}
	return resource.Ready, ""
}

// outputs are what others use an object by.
func outputs(o Object) map[string]string {
	switch o.GVK().GroupKind() {
	case schema.GroupKind{Kind: "Service"}:
		return serviceOutputs(o)
	case schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"}:
		return ingressOutputs(o)
	}
	return nil
}

// point is the address that a load balancer was given; "" if none was.
func point(m map[string]any) string {
	if points := objects(list(m, "status", "loadBalancer", "ingress")); len(points) > 0 {
		return cmp.Or(text(points[0], "ip"), text(points[0], "hostname"))
	}
	return ""
}

func serviceOutputs(o Object) map[string]string {
	if o.annotation(backendAnnotation) != "" {
		return nil // it is reached through its Ingress, which tells where
	}
	host, balanced := o.Name()+"."+o.Namespace()+".svc", false
	switch text(o.Manifest, "spec", "type") {
	case "ExternalName":
		host = text(o.Manifest, "spec", "externalName")
	case "LoadBalancer":
		host, balanced = point(o.Manifest), true
	}
	if host == "" {
		return nil
	}
	out := map[string]string{"address": host}
	for _, p := range objects(list(o.Manifest, "spec", "ports")) {
		port, ok := p["port"].(int64)
		if !ok {
			continue
		}
		out["address"] = net.JoinHostPort(host, strconv.FormatInt(port, 10))
		if balanced && text(p, "appProtocol") == "http" {
			out["url"] = "http://" + out["address"]
		}
		break
	}
	return out
}

// backendAnnotation is on Services that stand behind an HTTP load balancer of GKE.
const backendAnnotation = "cloud.google.com/backend-config"

func ingressOutputs(o Object) map[string]string {
	out := map[string]string{}
	if address := point(o.Manifest); address != "" {
		out["address"] = address
	}
	for _, r := range objects(list(o.Manifest, "spec", "rules")) {
		host := text(r, "host")
		if host == "" {
			continue
		}
		scheme := "http"
		if len(list(o.Manifest, "spec", "tls")) > 0 || o.annotation("networking.gke.io/managed-certificates") != "" {
			scheme = "https"
		}
		out["url"] = scheme + "://" + host
		break
	}
	return out
}
