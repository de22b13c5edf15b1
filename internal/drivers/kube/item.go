package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"unique"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"recsysd.dev/recsysd/internal/resource"
)

// item is one live object, stripped, with what is asked of it again and again. It is never changed.
type item struct {
	object  *unstructured.Unstructured
	ref     resource.Ref
	made    bool           // recsysd has applied or created it
	plain   map[string]any // the object without what is never compared; it shares the rest
	version uint64
	print   string // of the compared parts, who owns them included
	as      string // print of the version that it is the same as, as far as we are concerned: its own, or see follow
	state   resource.State
	detail  string // of its health
	leaving bool
	usage   atomic.Pointer[billedBy] // nil until it is asked for
}

// newItem takes u over, and strips it.
func newItem(u *unstructured.Unstructured) *item {
	o := Object{Manifest: u.Object}
	state, detail := health(o)
	strip(u.Object)
	plain := compared(u.Object)
	print := fingerprint(u.Object, plain)
	return &item{object: u, ref: o.Ref(), made: made(u.Object), plain: plain, version: number(u.GetResourceVersion()),
		print: print, as: print, state: state, detail: detail, leaving: u.GetDeletionTimestamp() != nil}
}

// moved reports whether a difference between two versions of an object is worth a look.
func (i *item) moved(before *item) bool {
	return before == nil || i.as != before.as || i.state != before.state || i.leaving != before.leaving
}

// number reads a resource version; 0, older than everything, if it is none.
func number(version string) uint64 {
	n, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// ownedFields is what stands under fieldsV1 in an entry of managedFields: as text, and once for all objects of the same shape. As a tree of
// maps it would be the larger part of most objects.
type ownedFields struct{ text unique.Handle[string] }

func ownedBy(fieldsV1 []byte) ownedFields { return ownedFields{unique.Make(string(fieldsV1))} }

// MarshalJSON is the text.
func (f ownedFields) MarshalJSON() ([]byte, error) { return []byte(f.text.Value()), nil }

// fieldsOf is the text under fieldsV1 in an entry of managedFields, of an object that is stripped or not; "" if there is none.
func fieldsOf(entry map[string]any) (string, error) {
	switch v := entry["fieldsV1"].(type) {
	case nil:
		return "", nil
	case ownedFields:
		return v.text.Value(), nil
	default:
		b, err := json.Marshal(v)
		return string(b), err
	}
}

// strip takes from a decoded object what nobody asks of a live one: of the status all that neither health nor price is read from, and the
// trees of the owned fields.
func strip(live map[string]any) {
	if status, ok := live["status"].(map[string]any); ok {
		live["status"] = told(status)
	}
	meta := object(live, "metadata")
	less := make(map[string]any, len(meta))
	for k, v := range meta {
		switch k {
		case "creationTimestamp", "selfLink":
		default:
			less[k] = v
		}
	}
	if meta != nil {
		live["metadata"] = less
	}
	for _, e := range objects(list(less, "managedFields")) {
		tree, ok := e["fieldsV1"].(map[string]any)
		if !ok {
			continue
		}
		if b, err := json.Marshal(tree); err == nil { // what was decoded from JSON can be encoded
			e["fieldsV1"] = ownedBy(b)
		}
	}
}

// told is what of a status is kept: plain values, and of what is composed that which health or a price is read from.
func told(status map[string]any) map[string]any {
	kept := map[string]any{}
	for k, v := range status {
		switch v := v.(type) {
		case map[string]any:
			if k == "loadBalancer" || k == "capacity" {
				kept[k] = v
			}
		case []any:
			switch k {
			case "conditions":
				kept[k] = conditions(v)
			case "domainStatus", "active":
				kept[k] = v
			}
		default:
			kept[k] = v
		}
	}
	return kept
}

// conditions are those of a status without when and how often each was probed.
func conditions(all []any) []any {
	less := make([]any, 0, len(all))
	for _, c := range objects(all) {
		one := make(map[string]any, 4)
		for _, k := range []string{"type", "status", "reason", "message"} {
			if v, ok := c[k]; ok {
				one[k] = v
			}
		}
		less = append(less, one)
	}
	return less
}

// fingerprint is equal for two versions of a live object that compare alike: status and bookkeeping apart, but with
// who owns which field. plain is what is compared of live.
func fingerprint(live, plain map[string]any) string {
	h := sha256.New()
	fmt.Fprintf(h, "%v\n", value(live, "metadata", "uid"))
	if err := json.NewEncoder(h).Encode(plain); err != nil {
		return "" // the API server sends nothing that JSON cannot hold; no fingerprint matches none
	}
	for _, e := range objects(list(live, "metadata", "managedFields")) {
		if text(e, "subresource") == "status" {
			continue
		}
		fields, err := fieldsOf(e)
		if err != nil {
			return ""
		}
		fmt.Fprintf(h, "%q %q %q %q %s\n", text(e, "manager"), text(e, "operation"), text(e, "apiVersion"), text(e, "subresource"), fields)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// compared is a live object without what is never compared. It shares the rest with live.
func compared(live map[string]any) map[string]any {
	m := make(map[string]any, len(live))
	for k, v := range live {
		if k != "status" {
			m[k] = v
		}
	}
	meta := map[string]any{}
	for k, v := range object(live, "metadata") {
		switch k {
		case "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "deletionTimestamp",
			"deletionGracePeriodSeconds":
		default:
			meta[k] = v
		}
	}
	m["metadata"] = meta
	return m
}
