package workload_test

import (
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired/workload"
)

func exposed(e workload.Expose) workload.Workload {
	w := valid()
	w.Port, w.Health, w.Expose = 8000, "/healthz", &e
	return w
}

// What an exposure makes of a workload, by what GKE's controllers go by.
func TestExposure(t *testing.T) {
	const (
		class, certificates, http = "kubernetes.io/ingress.class", "networking.gke.io/managed-certificates", "kubernetes.io/ingress.allow-http"
		frontend, balancer        = "networking.gke.io/v1beta1.FrontendConfig", "networking.gke.io/load-balancer-type"
	)
	for _, c := range []struct {
		why    string
		expose workload.Expose
		kinds  string            // of what is made for it alone
		notes  map[string]string // of the Ingress or, without one, of the Service; "" is none
		tls    string            // the Secret of the Ingress
	}{
		{"the port gets an address on the internet", workload.Expose{Type: "loadBalancer"}, "", map[string]string{balancer: ""}, ""},
		{"the port gets an address in the VPC", workload.Expose{Type: "internal"}, "", map[string]string{balancer: "Internal"}, ""},
		{"a public host has a certificate of Google's, and leads from http to https", workload.Expose{Type: "loadBalancer", Host: "a.example.com"},
			"BackendConfig FrontendConfig Ingress ManagedCertificate", map[string]string{class: "gce", certificates: "web", frontend: "web", http: ""}, ""},
		{"the same, said", workload.Expose{Type: "loadBalancer", Host: "a.example.com", Certificate: "managed"},
			"BackendConfig FrontendConfig Ingress ManagedCertificate", map[string]string{class: "gce", certificates: "web", frontend: "web", http: ""}, ""},
		{"a certificate of one's own", workload.Expose{Type: "loadBalancer", Host: "a.example.com", Certificate: "tls"},
			"BackendConfig FrontendConfig Ingress", map[string]string{class: "gce", certificates: "", frontend: "web", http: ""}, "tls"},
		{"an internal host without a certificate speaks http", workload.Expose{Type: "internal", Host: "a.example.com"},
			"BackendConfig Ingress", map[string]string{class: "gce-internal", certificates: "", frontend: "", http: ""}, ""},
		{"one with a certificate speaks https alone: GKE refuses both on one internal address", workload.Expose{Type: "internal", Host: "a.example.com", Certificate: "tls"},
			"BackendConfig Ingress", map[string]string{class: "gce-internal", certificates: "", frontend: "", http: "false"}, "tls"},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := exposed(c.expose)
			if err := w.Validate(); err != nil {
				t.Fatal(err)
			}
			objects := made(w, here)
			var kinds []string
			for _, kind := range []string{"BackendConfig", "FrontendConfig", "Ingress", "ManagedCertificate"} {
				if objects[kind] != nil {
					kinds = append(kinds, kind)
				}
			}
			if got := strings.Join(kinds, " "); got != c.kinds {
				t.Errorf("it makes %q, want %q", got, c.kinds)
			}
			carrier := "Service"
			if c.expose.Host != "" {
				carrier = "Ingress"
			}
			meta := at(t, objects[carrier], "metadata").(map[string]any)
			notes, _ := meta["annotations"].(map[string]any)
			for key, want := range c.notes {
				if got, _ := notes[key].(string); got != want {
					t.Errorf("%s of the %s is %q, want %q", key, carrier, got, want)
				}
			}
			if c.tls != "" && at(t, objects["Ingress"], "spec", "tls", 0, "secretName") != c.tls {
				t.Errorf("its certificate is not in %s", c.tls)
			}
			want := map[bool]string{true: "ClusterIP", false: "LoadBalancer"}[c.expose.Host != ""]
			if got := at(t, objects["Service"], "spec", "type"); got != want {
				t.Errorf("the Service is a %s, want %s", got, want)
			}
		})
	}
}

// The load balancer asks the pods themselves, by what GKE's controller can ask: http.
func TestHealthOfAnExposedHost(t *testing.T) {
	objects := made(exposed(workload.Expose{Type: "loadBalancer", Host: "a.example.com"}), here)
	check := at(t, objects["BackendConfig"], "spec", "healthCheck").(map[string]any)
	if check["type"] != "HTTP" || check["requestPath"] != "/healthz" || check["port"] != int64(8000) {
		t.Errorf("the health check is %v", check)
	}
	notes := at(t, objects["Service"], "metadata", "annotations").(map[string]any)
	if notes["cloud.google.com/neg"] != `{"ingress": true}` || notes["cloud.google.com/backend-config"] != `{"default": "web"}` {
		t.Errorf("the Service leads to %v", notes)
	}
	if at(t, objects["Ingress"], "spec", "rules", 0, "http", "paths", 0, "backend", "service", "name") != "web" {
		t.Error("the Ingress does not lead to the Service")
	}
}

// Whoever is exposed lets everybody in, on its port and no other.
func TestPolicyOfAnExposedWorkload(t *testing.T) {
	for _, e := range []workload.Expose{{Type: "loadBalancer"}, {Type: "internal", Host: "a.example.com"}} {
		rule := at(t, made(exposed(e), here)["NetworkPolicy"], "spec", "ingress", 0).(map[string]any)
		if rule["from"] != nil || at(t, rule, "ports", 0, "port") != int64(8000) {
			t.Errorf("%+v lets in %v", e, rule)
		}
	}
}

func TestBadExposures(t *testing.T) {
	long := strings.Repeat("a", 60) + ".example.com"
	for _, c := range []struct {
		why, want string
		expose    workload.Expose
		change    func(*workload.Workload)
	}{
		{"no type", "expose: type: missing; loadBalancer or internal", workload.Expose{}, nil},
		{"nothing to reach", "expose: needs a port", workload.Expose{Type: "internal"}, func(w *workload.Workload) { w.Port, w.Health = 0, "" }},
		{"a host, and nothing that says whether a pod is well", "health: missing; the HTTP load balancer", workload.Expose{Type: "internal", Host: "a.example.com"}, func(w *workload.Workload) { w.Health = "" }},
		{"a certificate for no name", "expose: certificate: needs a host", workload.Expose{Type: "loadBalancer", Certificate: "managed"}, nil},
		{"a name of one part", `"api" must be a name such as`, workload.Expose{Type: "loadBalancer", Host: "api"}, nil},
		{"a wildcard", `"*.example.com" must be a name such as`, workload.Expose{Type: "loadBalancer", Host: "*.example.com"}, nil},
		{"a name that Google makes no certificate for", "has 72 characters", workload.Expose{Type: "loadBalancer", Host: long}, nil},
		{"a certificate of Google's that it could not check", "Google makes none for what the internet cannot reach", workload.Expose{Type: "internal", Host: "a.example.com", Certificate: "managed"}, nil},
		{"a certificate that is no name", `"a b" is neither managed nor the name of a Secret`, workload.Expose{Type: "loadBalancer", Host: "a.example.com", Certificate: "a b"}, nil},
	} {
		w := exposed(c.expose)
		if c.change != nil {
			c.change(&w)
		}
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q alone", c.why, err, c.want)
		}
	}
	if err := exposed(workload.Expose{Type: "loadBalancer", Host: long, Certificate: "tls"}).Validate(); err != nil {
		t.Errorf("with a certificate of one's own the name may be as long as a name may be: %v", err)
	}
}
