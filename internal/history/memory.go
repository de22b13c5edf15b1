package history

import (
	"maps"
	"slices"
	"time"

	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// memory is reconcile.Memory as it lies on disk: references are text.
type memory struct {
	InSync     map[string]string            `json:"inSync,omitempty"`
	DriftSince map[string]time.Time         `json:"driftSince,omitempty"`
	Applied    string                       `json:"applied,omitempty"`
	Suspended  string                       `json:"suspended,omitempty"`
	Held       map[string]string            `json:"held,omitempty"`
	Fights     map[string][]reconcile.Fight `json:"fights,omitempty"`
}

func memorize(m reconcile.Memory) memory {
	return memory{texts(m.InSync), texts(m.DriftSince), m.Applied, m.Suspended, texts(m.Held), texts(m.Fights)}
}

func (m memory) remembered() reconcile.Memory {
	return reconcile.Memory{
		InSync: refs(m.InSync), DriftSince: refs(m.DriftSince), Applied: m.Applied, Suspended: m.Suspended, Held: refs(m.Held),
		Fights: refs(m.Fights),
	}
}

func (m memory) equal(o memory) bool {
	return m.Applied == o.Applied && m.Suspended == o.Suspended && maps.Equal(m.InSync, o.InSync) && maps.Equal(m.Held, o.Held) &&
		maps.EqualFunc(m.DriftSince, o.DriftSince, time.Time.Equal) &&
		maps.EqualFunc(m.Fights, o.Fights, func(a, b []reconcile.Fight) bool { return slices.EqualFunc(a, b, reconcile.Fight.Equal) })
}

func texts[V any](m map[resource.Ref]V) map[string]V {
	out := make(map[string]V, len(m))
	for ref, v := range m {
		out[ref.String()] = v
	}
	return out
}

// refs leaves out what is no reference: the file may have been edited.
func refs[V any](m map[string]V) map[resource.Ref]V {
	out := make(map[resource.Ref]V, len(m))
	for text, v := range m {
		if ref, err := resource.ParseRef(text); err == nil {
			out[ref] = v
		}
	}
	return out
}
