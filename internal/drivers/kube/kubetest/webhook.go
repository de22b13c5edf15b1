package kubetest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Admission is one object on its way into the API server.
type Admission struct {
	Operation string         // CREATE or UPDATE
	Object    map[string]any // what the request would store; a mutator changes it in place
	Old       map[string]any // what is stored, for an UPDATE
}

// Mutator changes an object as an admission webhook does; an error refuses the request with its text.
type Mutator func(Admission) error

var webhooks = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}

// Webhook puts mutate in front of every create and update of the resources of group (such as "apps", "deployments"), dry-runs included,
// and returns once the API server calls it. remove takes it away again.
func (c *Cluster) Webhook(ctx context.Context, name, group string, resources []string, mutate Mutator) (remove func(), err error) {
	certPEM, keyPEM, err := c.authority.serve(name)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: review(mutate), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); server.ServeTLS(listener, "", "") }()
	client, err := dynamic.NewForConfig(c.Config(Admin))
	if err != nil {
		return nil, err
	}
	_, err = client.Resource(webhooks).Create(ctx, registration(name, group, resources, "https://"+listener.Addr().String(), c.CA), metav1.CreateOptions{})
	if err != nil {
		server.Close()
		<-done
		return nil, err
	}
	return func() {
		client.Resource(webhooks).Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{})
		server.Close()
		<-done
	}, nil
}

func registration(name, group string, resources []string, url string, ca []byte) *unstructured.Unstructured {
	var plural []any
	for _, r := range resources {
		plural = append(plural, r)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
		"metadata": map[string]any{"name": name},
		"webhooks": []any{map[string]any{
			"name":                    name + ".kubetest.recsysd.dev",
			"admissionReviewVersions": []any{"v1"}, "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": int64(5),
			"reinvocationPolicy": "IfNeeded",
			"clientConfig":       map[string]any{"url": url, "caBundle": ca},
			"rules": []any{map[string]any{
				"apiGroups": []any{group}, "apiVersions": []any{"*"}, "operations": []any{"CREATE", "UPDATE"}, "resources": plural,
			}},
		}},
	}}
}

// review answers AdmissionReview requests with a JSON patch that replaces what mutate changed at the top level.
func review(mutate Mutator) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			APIVersion, Kind string
			Request          struct {
				UID               string
				Operation         string
				Object, OldObject map[string]any
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer := map[string]any{"uid": in.Request.UID, "allowed": true}
		if err := mutate(Admission{in.Request.Operation, in.Request.Object, in.Request.OldObject}); err != nil {
			answer["allowed"] = false
			answer["status"] = map[string]any{"message": err.Error()}
		} else {
			patch, err := json.Marshal(replacements(in.Request.Object))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			answer["patchType"], answer["patch"] = "JSONPatch", patch
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"apiVersion": in.APIVersion, "kind": in.Kind, "response": answer})
	})
}

func replacements(object map[string]any) []map[string]any {
	ops := []map[string]any{}
	for key, value := range object {
		if key != "status" {
			ops = append(ops, map[string]any{"op": "add", "path": fmt.Sprintf("/%s", key), "value": value})
		}
	}
	return ops
}
