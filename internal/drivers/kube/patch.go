package kube

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// normal copies a decoded value into the form in which the API server's answers are decoded: whole numbers are int64, and
// what is null is left out.
func normal(m map[string]any) map[string]any {
	n, _ := normalValue(m).(map[string]any)
	return n
}

func normalValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if n := normalValue(e); n != nil {
				out[k] = n
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			out = append(out, normalValue(e))
		}
		return out
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case uint64:
		return int64(v)
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
		return v
	}
	return v
}

// declared is what is applied for o: its manifest, in the form that is wanted, without what the server or the driver alone may say, and with the hash
// of just that in an annotation. The values of generated keys are not part of it.
func declared(o Object) (map[string]any, string) {
	m := normal(o.formed())
	delete(m, "status")
	meta := object(m, "metadata")
	for _, k := range []string{"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"} {
		delete(meta, k)
	}
	notes := object(meta, "annotations")
	for _, k := range []string{AnnotationUnprotected, AnnotationApplied, AnnotationAwakeUntil, AnnotationAsleepUntil} {
		delete(notes, k)
	}
	if !o.Asleep {
		delete(notes, AnnotationAsleep)
	}
	if notes == nil {
		notes = map[string]any{}
		meta["annotations"] = notes
	}
	if o.GVK().GroupKind() == secretKind {
		secretData(m)
	}
	if len(o.Generate) > 0 {
		notes[AnnotationGenerated] = strings.Join(slices.Sorted(slices.Values(o.Generate)), ",")
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("kube: a manifest that JSON cannot hold: %s: %v", o, err)) // it was decoded from YAML or JSON
	}
	hash := digest(string(b))
	if o.GVK().GroupKind() != secretKind { // a hash of a password in everyone's sight invites guessing
		notes[AnnotationApplied] = hash
	}
	if len(notes) == 0 {
		delete(meta, "annotations")
	}
	return m, hash
}

// secretData turns stringData, which the server only writes, into data, which it owns and compares.
func secretData(m map[string]any) {
	plain := object(m, "stringData")
	delete(m, "stringData")
	if len(plain) == 0 {
		return
	}
	data := object(m, "data")
	if data == nil {
		data = map[string]any{}
		m["data"] = data
	}
	for k, v := range plain {
		data[k] = base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(v)))
	}
}

// generated fills the values of o's generated keys into m: those that live has, and new ones for the rest.
func generated(m map[string]any, o Object, live map[string]any, fresh func() string) {
	if len(o.Generate) == 0 {
		return
	}
	data := object(m, "data")
	if data == nil {
		data = map[string]any{}
		m["data"] = data
	}
	for _, k := range o.Generate {
		if v := text(live, "data", k); v != "" {
			data[k] = v
			continue
		}
		data[k] = base64.StdEncoding.EncodeToString([]byte(fresh()))
	}
}

// password is a new random value, 26 letters and digits with 128 bits in them.
func password() string { return rand.Text() }

// placeholder stands for a value that a dry-run only needs to be there.
func placeholder() string { return "generated" }

// wire is an object to be sent.
func wire(m map[string]any) *unstructured.Unstructured { return &unstructured.Unstructured{Object: m} }
