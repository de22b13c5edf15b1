package kube

import (
	"maps"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/resource"
)

// How far what leads to a workload, or acts on it, has come. What others wait for is Pending; what a person has to see to is only told.
func TestHealthOfWhatLeadsToPods(t *testing.T) {
	of := func(api, kind, rest string) string {
		return "{apiVersion: " + api + ", kind: " + kind + ", metadata: {name: x}, " + rest + "}"
	}
	ingress := func(rest string) string { return of("networking.k8s.io/v1", "Ingress", rest) }
	certificate := func(status string) string {
		return of("networking.gke.io/v1", "ManagedCertificate", "status: {"+status+"}")
	}
	scaler := func(conditions string) string {
		return of("autoscaling/v2", "HorizontalPodAutoscaler", "status: {conditions: ["+conditions+"]}")
	}
	cron := func(status string) string { return of("batch/v1", "CronJob", "status: {"+status+"}") }
	const address = "status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}"
	for _, c := range []struct {
		why, object string
		state       resource.State
		detail      string // part of it; "" is none at all
	}{
		{"an Ingress of GKE's, by default", ingress("spec: {}"), resource.Pending, "address"},
		{"of GKE's, by the older annotation", strings.Replace(ingress("spec: {ingressClassName: nginx}"), "name: x", "name: x, annotations: {kubernetes.io/ingress.class: gce-internal}", 1), resource.Pending, "address"},
		{"with its address", ingress(address), resource.Ready, ""},
		{"another's, which may never say one", ingress("spec: {ingressClassName: nginx}"), resource.Ready, ""},

		{"a certificate that nobody has begun with", certificate(""), resource.Ready, "not made yet"},
		{"one that waits for the name to lead here", certificate("certificateStatus: Provisioning, domainStatus: [{domain: a.example.com, status: FailedNotVisible}]"), resource.Ready, "a.example.com is FailedNotVisible"},
		{"one that is begun, of no domain yet", certificate("certificateStatus: Provisioning"), resource.Ready, "the certificate is Provisioning"},
		{"one that is made", certificate("certificateStatus: Active, domainStatus: [{domain: a.example.com, status: Active}]"), resource.Ready, ""},
		{"one that Google has given up", certificate("certificateStatus: ProvisioningFailedPermanently, domainStatus: [{domain: a.example.com, status: FailedCaaForbidden}]"), resource.Broken, "a.example.com is FailedCaaForbidden"},

		{"an autoscaler that works", scaler("{type: AbleToScale, status: 'True'}, {type: ScalingActive, status: 'True'}"), resource.Ready, ""},
		{"one that sees no use", scaler("{type: AbleToScale, status: 'True'}, {type: ScalingActive, status: 'False', reason: FailedGetResourceMetric, message: no metrics}"), resource.Ready, "no metrics"},
		{"one whose pods sleep", scaler("{type: ScalingActive, status: 'False', reason: ScalingDisabled, message: zero}"), resource.Ready, ""},

		{"a CronJob that was never due", cron(""), resource.Ready, ""},
		{"one whose last run went well", cron("lastScheduleTime: '2026-11-25T03:00:00Z', lastSuccessfulTime: '2026-11-25T03:04:00Z'"), resource.Ready, ""},
		{"one that runs", cron("lastScheduleTime: '2026-11-25T03:00:00Z', active: [{name: x-1}]"), resource.Ready, ""},
		{"one whose last run failed", cron("lastScheduleTime: '2026-11-25T03:00:00Z', lastSuccessfulTime: '2026-11-24T03:04:00Z'"), resource.Ready, "the last that did ended 2026-11-24T03:04:00Z"},
		{"one that never went well", cron("lastScheduleTime: '2026-11-25T03:00:00Z'"), resource.Ready, "ended never"},
	} {
		live := normal(read(t, c.object))
		strip(live)
		state, detail := health(Object{Manifest: live})
		if state != c.state || !strings.Contains(detail, c.detail) || c.detail == "" && detail != "" {
			t.Errorf("%s: %v %q, want %v with %q", c.why, state, detail, c.state, c.detail)
		}
	}
}

// What others use an object by. Nothing is told that does not lead there.
func TestOutputs(t *testing.T) {
	service := func(notes, spec, status string) string {
		return "{apiVersion: v1, kind: Service, metadata: {name: api, namespace: ml, annotations: {" + notes + "}}, spec: {" + spec + "}, status: {" + status + "}}"
	}
	ingress := func(notes, spec, status string) string {
		return "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: api, namespace: ml, annotations: {" + notes + "}}, spec: {" + spec + "}, status: {" + status + "}}"
	}
	const ip, rules = "loadBalancer: {ingress: [{ip: 192.0.2.1}]}", "rules: [{host: a.example.com}]"
	for _, c := range []struct {
		why, object string
		want        map[string]string
	}{
		{"within the cluster", service("", "ports: [{port: 80}]", ""), map[string]string{"address": "api.ml.svc:80"}},
		{"without a port", service("", "clusterIP: None", ""), map[string]string{"address": "api.ml.svc"}},
		{"a load balancer that has no address yet", service("", "type: LoadBalancer, ports: [{port: 80}]", ""), nil},
		{"one that has one, of which nobody says that it speaks http", service("", "type: LoadBalancer, ports: [{port: 5432}]", ip), map[string]string{"address": "192.0.2.1:5432"}},
		{"one that speaks http", service("", "type: LoadBalancer, ports: [{port: 80, appProtocol: http}]", ip), map[string]string{"address": "192.0.2.1:80", "url": "http://192.0.2.1:80"}},
		{"one with a version 6 address", service("", "type: LoadBalancer, ports: [{port: 80}]", "loadBalancer: {ingress: [{ip: '2001:db8::1'}]}"), map[string]string{"address": "[2001:db8::1]:80"}},
		{"one that is called by a name", service("", "type: LoadBalancer, ports: [{port: 80}]", "loadBalancer: {ingress: [{hostname: lb.example.com}]}"), map[string]string{"address": "lb.example.com:80"}},
		{"another's name", service("", "type: ExternalName, externalName: db.example.com", ""), map[string]string{"address": "db.example.com"}},
		{"what is reached through its Ingress", service(`cloud.google.com/backend-config: '{"default": "api"}'`, "ports: [{port: 80}]", ""), nil},

		{"a host before it has an address", ingress("", rules, ""), map[string]string{"url": "http://a.example.com"}},
		{"a host with a certificate of Google's", ingress("networking.gke.io/managed-certificates: api", rules, ip), map[string]string{"address": "192.0.2.1", "url": "https://a.example.com"}},
		{"a host with a certificate of its own", ingress("", rules+", tls: [{secretName: tls}]", ip), map[string]string{"address": "192.0.2.1", "url": "https://a.example.com"}},
		{"no host", ingress("", "rules: [{}]", ip), map[string]string{"address": "192.0.2.1"}},
		{"what nobody reaches", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}", nil},
	} {
		if got := outputs(Object{Manifest: normal(read(t, c.object))}); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
}
