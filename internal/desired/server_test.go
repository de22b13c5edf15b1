package desired_test

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/drivers/kube"
	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// TestServerTakesTheObjects gives what workloads become to a real API server, which refuses unknown fields and bad values.
func TestServerTakesTheObjects(t *testing.T) {
	cluster := kubetest.Start(t, kubetest.Options{})
	if err := cluster.InstallGKE(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(cluster.Config(kubetest.Admin))
	if err != nil {
		t.Fatal(err)
	}
	every := load(t, desired.Options{}, map[string]string{"stack.yaml": `
namespace: every
labels: {team: ml}
clusters: {main: {}}
buckets: {data: {}}
workloads:
  a-b: {image: "x:1", port: 80, cpu: 0.5, memory: 1.5Gi, replicas: 2, uses: [db], health: /ok, user: 999, spot: true, labels: {tier: front},
        command: [a], args: [b], env: {A: 1, B: {secret: s, key: k}}, storage: [{bucket: data, access: read}], protect: true}
  db: {image: "x:1", port: 81, cpu: 2, memory: 1G, user: 70, disk: {size: 1Gi, mount: /data}, replicas: 0}
  job: {image: "x:1", cpu: 1m, memory: 1Mi, disk: {size: 1Gi, mount: /data}}
  web: {image: "x:1", port: 80, cpu: 1m, memory: 1Mi, health: /ok, expose: {type: internal}}
  open: {image: "x:1", port: 80, cpu: 1m, memory: 1Mi, health: /ok, expose: {type: loadBalancer, host: a.example.com}}
  shut: {image: "x:1", port: 80, cpu: 1m, memory: 1Mi, health: /ok, expose: {type: internal, host: b.example.com, certificate: tls}}
  pg: {image: "postgres:16", port: 5432, cpu: 1m, memory: 1Mi, user: 999, disk: {size: 1Gi, mount: /data}, env: {POSTGRES_PASSWORD: {secret: s, key: k}},
       backup: {schedule: "0 3 * * *", bucket: data}}
  wide: {image: "x:1", cpu: 1m, memory: 1Mi, replicas: {min: 2, max: 5, cpu: 70, memory: 80}}
secrets: {s: {generate: [k]}, tls: {generate: [tls.crt, tls.key]}}
`})
	plural := map[string]string{
		"Namespace": "namespaces", "ServiceAccount": "serviceaccounts", "Service": "services", "Secret": "secrets",
		"PersistentVolumeClaim": "persistentvolumeclaims", "NetworkPolicy": "networkpolicies", "Deployment": "deployments", "StatefulSet": "statefulsets",
		"HorizontalPodAutoscaler": "horizontalpodautoscalers", "PodDisruptionBudget": "poddisruptionbudgets",
		"Ingress": "ingresses", "CronJob": "cronjobs",
		"BackendConfig": "backendconfigs", "FrontendConfig": "frontendconfigs", "ManagedCertificate": "managedcertificates",
	}
	apply := func(o kube.Object) {
		gvk := o.GVK()
		gvr := schema.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: plural[gvk.Kind]}
		body, err := json.Marshal(o.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Resource(gvr).Namespace(o.Namespace()).Patch(t.Context(), o.Name(), types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: "recsysd", FieldValidation: "Strict"})
		if err != nil {
			t.Errorf("%s: %v", o, err)
		}
	}
	for namespace, s := range map[string]*desired.Stack{"recsys": example(t), "every": every} {
		apply(find(t, s, "Namespace/"+namespace).Spec.(kube.Object))
		for _, r := range s.Resources {
			if o, ok := r.Spec.(kube.Object); ok && r.Ref.Kind != "Namespace" {
				apply(o)
			}
		}
	}
}
