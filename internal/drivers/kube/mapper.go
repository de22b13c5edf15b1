package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// mapping is how a kind is reached.
type mapping struct {
	gvk        schema.GroupVersionKind
	gvr        schema.GroupVersionResource
	namespaced bool
	listable   bool
}

// mapper knows the server's kinds from its aggregated discovery document, two requests for all of them.
type mapper struct {
	client *http.Client
	host   *url.URL

	mu        sync.Mutex
	at        time.Time // of the last successful discovery
	kinds     map[schema.GroupVersionKind]mapping
	preferred []mapping // one version of every kind that can be listed and watched
}

// find returns how gvk is reached. A kind that is unknown is looked for again unless that was done after since.
func (m *mapper) find(ctx context.Context, gvk schema.GroupVersionKind, since time.Time) (mapping, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found, ok := m.kinds[gvk]; ok {
		return found, true, nil
	}
	if m.kinds == nil || m.at.Before(since) {
		if err := m.discover(ctx); err != nil {
			return mapping{}, false, err
		}
	}
	found, ok := m.kinds[gvk]
	return found, ok, nil
}

// all returns one version of every kind that can be listed, discovered anew.
func (m *mapper) all(ctx context.Context) ([]mapping, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.discover(ctx); err != nil {
		return nil, err
	}
	return m.preferred, nil
}

// forget makes the next find of gvk ask the server.
func (m *mapper) forget(gvk schema.GroupVersionKind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kinds, gvk)
}

func (m *mapper) discover(ctx context.Context) error {
	kinds := map[schema.GroupVersionKind]mapping{}
	var preferred []mapping
	for _, path := range []string{"/api", "/apis"} {
		groups, err := m.fetch(ctx, path)
		if err != nil {
			return fmt.Errorf("discovering the API server's kinds: %w", err)
		}
		for _, g := range groups {
			preferred = append(preferred, g.add(kinds)...)
		}
	}
	m.kinds, m.preferred, m.at = kinds, preferred, time.Now()
	return nil
}

// groupDiscovery is one API group of the document.
type groupDiscovery struct {
	Metadata struct{ Name string }
	Versions []struct {
		Version   string
		Resources []struct {
			Resource     string
			Scope        string
			ResponseKind *struct{ Group, Version, Kind string }
			Verbs        []string
		}
	}
}

// add notes the group's kinds and returns those of the preferred version, which is the first that has them.
func (g groupDiscovery) add(kinds map[schema.GroupVersionKind]mapping) (preferred []mapping) {
	met := map[string]bool{}
	for _, v := range g.Versions {
		for _, r := range v.Resources {
			if r.ResponseKind == nil || r.ResponseKind.Kind == "" {
				continue
			}
			m := mapping{
				gvk:        schema.GroupVersionKind{Group: g.Metadata.Name, Version: v.Version, Kind: r.ResponseKind.Kind},
				gvr:        schema.GroupVersionResource{Group: g.Metadata.Name, Version: v.Version, Resource: r.Resource},
				namespaced: r.Scope != "Cluster",
				listable:   slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch"),
			}
			if _, ok := kinds[m.gvk]; !ok {
				kinds[m.gvk] = m
			}
			if m.listable && !met[r.Resource] {
				met[r.Resource] = true
				preferred = append(preferred, m)
			}
		}
	}
	return preferred
}

const discoveryType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," +
	"application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"

func (m *mapper) fetch(ctx context.Context, path string) ([]groupDiscovery, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.host.JoinPath(path).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", discoveryType)
	resp, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s: %s", path, resp.Status, strings.TrimSpace(string(body[:min(len(body), 200)])))
	}
	var doc struct {
		Kind  string
		Items []groupDiscovery
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if doc.Kind != "APIGroupDiscoveryList" {
		return nil, fmt.Errorf("%s: the API server has no aggregated discovery (Kubernetes 1.27 and later do)", path)
	}
	return doc.Items, nil
}
