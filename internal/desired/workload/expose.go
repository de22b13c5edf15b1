package workload

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Expose is how a workload is reached from outside the cluster.
type Expose struct {
	Type        string `yaml:"type" required:"true" enum:"loadBalancer,internal" doc:"loadBalancer: from the internet; internal: from the VPC alone. Required."`
	Host        string `yaml:"host" doc:"Name by which it is called, such as api.example.com: requests go through an HTTP load balancer. Left out, the port itself gets an address."`
	Certificate string `yaml:"certificate" doc:"managed, the default of a public host: Google makes one. Or a Secret with tls.crt and tls.key."`
}

// managed is the certificate that Google makes and renews.
const managed = "managed"

// Certified is the Secret that holds the certificate; "" if none does.
func (w Workload) Certified() string {
	if w.Expose == nil || w.Expose.Certificate == managed {
		return ""
	}
	return w.Expose.Certificate
}

// hosted reports whether requests come through an HTTP load balancer.
func (w Workload) hosted() bool { return w.Expose != nil && w.Expose.Host != "" }

// managedCertificate reports whether Google is to make a certificate. For what only the VPC reaches it cannot.
func (w Workload) managedCertificate() bool {
	return w.hosted() && w.Expose.Type == "loadBalancer" && w.Certified() == ""
}

func (w Workload) validateExpose(bad func(field, format string, args ...any)) {
	e := w.Expose
	if e == nil {
		return
	}
	if e.Type == "" {
		bad("expose: type", "missing; loadBalancer or internal")
	}
	if w.Port == 0 {
		bad("expose", "needs a port to be reached on")
	}
	if e.Host != "" && w.Health == "" && w.Port != 0 {
		bad("health", "missing; the HTTP load balancer of expose.host sends requests only to pods that answer 200 to a path")
	}
	switch host := e.Host; {
	case host == "" && e.Certificate != "":
		bad("expose: certificate", "needs a host that it is for")
	case host == "":
	case len(validation.IsDNS1123Subdomain(host)) > 0 || !strings.Contains(host, "."):
		bad("expose: host", "%q must be a name such as api.example.com", host)
	case len(host) > 63 && w.managedCertificate():
		bad("expose: host", "%q has %d characters; Google makes certificates for up to 63", host, len(host))
	}
	switch c := e.Certificate; {
	case c == managed && e.Type == "internal":
		bad("expose: certificate", "Google makes none for what the internet cannot reach; name a Secret with tls.crt and tls.key")
	case c != "" && c != managed && len(validation.IsDNS1123Subdomain(c)) > 0:
		bad("expose: certificate", "%q is neither managed nor the name of a Secret", c)
	}
}

// exposeService makes the workload's Service what its exposure needs: a load balancer of its own, or the back end of one.
func (w Workload) exposeService(service object, name string) {
	if w.Expose == nil {
		return
	}
	meta, spec := service["metadata"].(object), service["spec"].(object)
	if w.hosted() {
		meta["annotations"] = object{
			"cloud.google.com/neg":            `{"ingress": true}`, // to the pods themselves, without a detour over the nodes
			"cloud.google.com/backend-config": fmt.Sprintf(`{"default": %q}`, name),
		}
		return
	}
	spec["type"] = "LoadBalancer"
	if w.Expose.Type == "internal" {
		meta["annotations"] = object{"networking.gke.io/load-balancer-type": "Internal"}
	}
	if w.Health != "" {
		spec["ports"].(list)[0].(object)["appProtocol"] = "http"
	}
}

// web are the objects of an HTTP load balancer: the Ingress, how its back end's health is asked, and for a public one the
// certificate and the way from http to https.
func (w Workload) web(s Setting) []map[string]any {
	if !w.hosted() {
		return nil
	}
	objects := []map[string]any{{
		"apiVersion": "cloud.google.com/v1", "kind": "BackendConfig",
		"metadata": w.metadata(s, s.Name),
		"spec": object{
			"healthCheck":        object{"type": "HTTP", "requestPath": w.Health, "port": int64(w.Port)},
			"connectionDraining": object{"drainingTimeoutSec": int64(30)},
		},
	}}
	// The class is said by the older annotation: it is the one that GKE's controller reads.
	notes := object{"kubernetes.io/ingress.class": map[string]string{"loadBalancer": "gce", "internal": "gce-internal"}[w.Expose.Type]}
	spec := object{"rules": list{object{
		"host": w.Expose.Host,
		"http": object{"paths": list{object{
			"path": "/", "pathType": "Prefix",
			"backend": object{"service": object{"name": s.Name, "port": object{"number": int64(w.Port)}}},
		}}},
	}}}
	if secret := w.Certified(); secret != "" {
		spec["tls"] = list{object{"hosts": list{w.Expose.Host}, "secretName": secret}}
		if w.Expose.Type == "internal" { // GKE serves an internal address by http or by https, and refuses both
			notes["kubernetes.io/ingress.allow-http"] = "false"
		}
	}
	if w.managedCertificate() {
		notes["networking.gke.io/managed-certificates"] = s.Name
		objects = append(objects, object{
			"apiVersion": "networking.gke.io/v1", "kind": "ManagedCertificate",
			"metadata": w.metadata(s, s.Name),
			"spec":     object{"domains": list{w.Expose.Host}},
		})
	}
	if w.Expose.Type == "loadBalancer" {
		notes["networking.gke.io/v1beta1.FrontendConfig"] = s.Name
		objects = append(objects, object{
			"apiVersion": "networking.gke.io/v1beta1", "kind": "FrontendConfig",
			"metadata": w.metadata(s, s.Name),
			"spec":     object{"redirectToHttps": object{"enabled": true}},
		})
	}
	meta := w.metadata(s, s.Name)
	meta["annotations"] = notes
	return append(objects, object{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec})
}
