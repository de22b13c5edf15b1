package kube

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What may be repeated of an answer that is about a Secret. Everything else in it may hold a value: validations quote what they
// refuse, and a webhook chooses every word of its answer.
var (
	plainReason  = regexp.MustCompile(`^[A-Za-z]{1,40}$`)
	plainField   = regexp.MustCompile(`^[A-Za-z0-9_./\[\]-]{1,120}$`)
	webhookName  = regexp.MustCompile(`admission webhook "([a-z0-9.-]{1,253})" denied the request`)
	missingRight = regexp.MustCompile(`User "([^"\s]{1,200})" cannot ([a-z]{1,20}) resource "(secrets)"`)
)

// veiledStatus tells of an answer to a request about the Secret o without repeating any value of it.
func veiledStatus(status metav1.Status, o Object) string {
	text := fmt.Sprintf("%s: %d", o, status.Code)
	if plainReason.MatchString(string(status.Reason)) {
		text = fmt.Sprintf("%s: %s %d", o, status.Reason, status.Code)
	}
	switch {
	case webhookName.MatchString(status.Message):
		text += fmt.Sprintf(": admission webhook %q denied the request; its reason is not repeated, as it may quote the Secret", webhookName.FindStringSubmatch(status.Message)[1])
	case missingRight.MatchString(status.Message):
		text += ": " + missingRight.FindString(status.Message)
	case status.Code == http.StatusNotFound && status.Details != nil && status.Details.Kind == "namespaces":
		text += fmt.Sprintf(": the namespace %s does not exist", o.Namespace())
	}
	var fields []string
	for _, c := range causes(status) {
		if plainField.MatchString(c.Field) {
			fields = append(fields, c.Field)
		}
	}
	if len(fields) > 0 {
		text += " (" + strings.Join(fields, ", ") + ")"
	}
	return o.silence(text)
}

// silence is the last guard: it takes the Secret's own values out of a text, as they are and as they are stored.
func (o Object) silence(text string) string {
	for _, part := range []string{"data", "stringData"} {
		values := object(o.Manifest, part)
		for _, k := range slices.Sorted(maps.Keys(values)) {
			v, _ := values[k].(string)
			forms := []string{v, base64.StdEncoding.EncodeToString([]byte(v))}
			if plain, err := base64.StdEncoding.DecodeString(v); err == nil && part == "data" {
				forms = append(forms, string(plain))
			}
			for _, f := range forms {
				if len(f) > 3 {
					text = strings.ReplaceAll(text, f, "(secret)")
				}
			}
		}
	}
	return text
}

// borrowed is o with the values that are not known now as live has them; one that live lacks is left out.
func (o Object) borrowed(live map[string]any) Object {
	if o.Awaits == "" {
		return o
	}
	m := copied(o.Manifest)
	fill := func(to, from map[string]any) {
		for k, v := range to {
			switch known, ok := from[k]; {
			case v != nil:
			case ok:
				to[k] = known
			default:
				delete(to, k)
			}
		}
	}
	if o.GVK().GroupKind() == secretKind {
		fill(object(m, "data"), object(live, "data"))
	}
	for _, template := range [][]string{{"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}} {
		notes := append(template, "metadata", "annotations")
		fill(object(m, notes...), object(live, notes...))
	}
	o.Manifest = m
	return o
}

// copied is m with maps of its own; the rest is shared.
func copied(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		if below, ok := v.(map[string]any); ok {
			v = copied(below)
		}
		out[k] = v
	}
	return out
}
