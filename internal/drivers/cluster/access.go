package cluster

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"golang.org/x/oauth2"
	"k8s.io/client-go/rest"

	"recsysd.dev/recsysd/internal/resource"
)

// How long Access goes by what is known.
const (
	// fresh: a cluster that could be used this short a time ago is not asked about again.
	fresh = 10 * time.Second
	// grace: the kinds of a pass are looked at side by side; a look that begins within this time spares one of our own.
	grace = 25 * time.Millisecond
	// patience: after this long without an answer from GKE the way that was good before is tried.
	patience = 5 * time.Second
)

// entrance holds what the looks at clusters have found, for those who want to go in.
type entrance struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, whenever a look begins or ends
	looking int
	doors   map[string]*door

	complete bool     // there has been a full look
	wanted   []string // the names it was given
	owned    []string // and those of ours that it listed beside them
	unlisted error    // why it could not list them
}

// door is what is known of one cluster.
type door struct {
	location string
	at       time.Time
	cluster  *containerpb.Cluster // nil: absent, or err
	err      error
	open     *containerpb.Cluster // the last that could be used
}

func newEntrance() *entrance {
	return &entrance{changed: make(chan struct{}), doors: map[string]*door{}}
}

func (e *entrance) signal() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// begin says that a look is under way. The result is to be called with what it found.
func (e *entrance) begin() func(l *look, want []Spec, full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.looking++
	e.signal()
	return func(l *look, want []Spec, full bool) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.looking--
		var wanted, owned []string
		for _, w := range want {
			wanted = append(wanted, w.Name)
			e.put(w.Name, w.Location, l.byName[w.Name], l.unread[w.Name])
		}
		for _, pb := range l.listed {
			if !slices.Contains(wanted, pb.GetName()) {
				owned = append(owned, pb.GetName())
				e.put(pb.GetName(), pb.GetLocation(), pb, nil)
			}
		}
		if full {
			if l.unlisted != nil {
				owned = slices.DeleteFunc(e.owned, func(name string) bool { return slices.Contains(wanted, name) }) // as far as is known
			}
			e.complete, e.wanted, e.owned, e.unlisted = true, wanted, owned, l.unlisted
			maps.DeleteFunc(e.doors, func(name string, _ *door) bool {
				return !slices.Contains(wanted, name) && !slices.Contains(owned, name)
			})
		}
		e.signal()
	}
}

func (e *entrance) put(name, location string, pb *containerpb.Cluster, err error) {
	d := e.doors[name]
	if d == nil {
		d = &door{}
		e.doors[name] = d
	}
	d.location, d.at, d.cluster, d.err = location, time.Now(), pb, err
	switch {
	case err != nil: // unknown is not absent: the way that was good before may still be
	case usable(pb):
		d.open, d.location = pb, pb.GetLocation()
	default:
		d.open = nil
	}
}

// which is the cluster that the stack's objects live in if nobody names it: the one that is wanted, else the one that is ours.
func (e *entrance) which() (string, error) {
	names := e.wanted
	if len(names) == 0 {
		names = e.owned
	}
	switch len(names) {
	case 0:
		if e.unlisted != nil {
			return "", fmt.Errorf("whether the stack has a cluster is not known: %w", e.unlisted)
		}
		return "", fmt.Errorf("the stack has no cluster: %w", resource.ErrUnavailable)
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("the stack has %d clusters, and it is not said which is meant", len(names))
}

// answer is what is known of the cluster that was asked for at start. Without an answer look names the cluster to look at, or
// is nil: there is something to wait for. alone means that no look has begun in a while, late that one takes too long.
func (e *entrance) answer(asked string, start time.Time, alone, late bool) (pb *containerpb.Cluster, look *Spec, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	alone = alone && e.looking == 0
	name := asked
	if name == "" {
		if name, err = e.which(); err != nil {
			if alone && e.complete {
				return nil, nil, err
			}
			return nil, nil, nil
		}
	}
	d := e.doors[name]
	switch {
	case d == nil && alone && e.complete: // neither wanted nor ours when all was looked at
		return nil, nil, fmt.Errorf("cluster %s is not the stack's: %w", name, resource.ErrUnavailable)
	case d == nil && alone && late: // not known is not absent
		return nil, nil, fmt.Errorf("cluster %s has not been looked at", name)
	case d == nil:
		return nil, nil, nil
	case !d.at.Before(start), d.open != nil && d.err == nil && start.Sub(d.at) < fresh:
		pb, err = d.enter(name)
		return pb, nil, err
	case late && d.open != nil:
		return d.open, nil, nil
	case alone:
		return nil, &Spec{Name: name, Location: d.location}, nil
	}
	return nil, nil, nil
}

// enter is the cluster, if it can be used or could before it could not be read.
func (d *door) enter(name string) (*containerpb.Cluster, error) {
	switch {
	case d.open != nil:
		return d.open, nil
	case d.err != nil:
		return nil, fmt.Errorf("cluster %s: %w", name, d.err)
	case d.cluster == nil:
		return nil, fmt.Errorf("cluster %s is absent: %w", name, resource.ErrUnavailable)
	}
	word, ok := doing[d.cluster.GetStatus()]
	if !ok {
		word = d.cluster.GetStatus().String()
	}
	return nil, fmt.Errorf("cluster %s is not running (%s): %w", name, word, resource.ErrUnavailable)
}

func usable(pb *containerpb.Cluster) bool {
	s, _ := state(pb.GetStatus())
	return pb != nil && s.Usable()
}

// Access is the way into the Kubernetes API of a cluster by its name; "" is the stack's only one. It goes by a look that is under
// way or just over, as the pass that looks at the cluster and at what is in it side by side makes one, and looks by itself only if
// there is none. A cluster that is absent or not running yet is resource.ErrUnavailable. If GKE cannot be asked, what was good
// before is given.
func (d *Driver) Access(ctx context.Context, name string) (*rest.Config, error) {
	start := time.Now()
	graceOver, impatient := time.NewTimer(grace), time.NewTimer(patience)
	defer graceOver.Stop()
	defer impatient.Stop()
	var alone, late bool
	for {
		changed := d.entries.next()
		pb, look, err := d.entries.answer(name, start, alone, late)
		switch {
		case err != nil:
			return nil, err
		case pb != nil:
			return d.restConfig(pb)
		case look != nil:
			want := []Spec{*look}
			done := d.entries.begin()
			done(d.look(ctx, want, false), want, false)
			continue
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cluster %s: no answer from GKE: %w", name, ctx.Err())
		case <-changed:
		case <-graceOver.C:
			alone = true
		case <-impatient.C:
			late = true
		}
	}
}

// next is closed when a look begins or ends.
func (e *entrance) next() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

// restConfig is facts about a cluster as client-go wants them.
func (d *Driver) restConfig(pb *containerpb.Cluster) (*rest.Config, error) {
	config := &rest.Config{Host: serverURL(pb), UserAgent: d.service.Config.UserAgent}
	if config.Host == "" {
		return nil, fmt.Errorf("cluster %s has no endpoint: %w", pb.GetName(), resource.ErrUnavailable)
	}
	if !byName(pb) { // the certificate of the DNS endpoint is a public one
		ca, err := authority(pb.GetMasterAuth().GetClusterCaCertificate())
		if err != nil {
			return nil, fmt.Errorf("cluster %s: its certificate authority: %w", pb.GetName(), err)
		}
		config.CAData = ca
	}
	if d.tokens != nil {
		config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return &oauth2.Transport{Source: d.tokens, Base: rt} })
	}
	return config, nil
}

// byName reports whether the control plane is reached by its DNS name: it is switched on, and IAM guards it, so that neither address
// lists nor private networks stand in the way.
func byName(pb *containerpb.Cluster) bool {
	dns := pb.GetControlPlaneEndpointsConfig().GetDnsEndpointConfig()
	return dns.GetAllowExternalTraffic() && dns.GetEndpoint() != ""
}

// serverURL is where the Kubernetes API is; "" while it is nowhere.
func serverURL(pb *containerpb.Cluster) string {
	host := pb.GetEndpoint()
	if byName(pb) {
		host = pb.GetControlPlaneEndpointsConfig().GetDnsEndpointConfig().GetEndpoint()
	}
	if host == "" {
		return ""
	}
	return "https://" + host
}

// authority is the PEM of GKE's base64. It is parsed here, because client-go would say no more than that a certificate is signed by an
// unknown authority.
func authority(encoded string) ([]byte, error) {
	if encoded == "" {
		return nil, errors.New("none is given")
	}
	ca, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate in it that can be parsed")
	}
	return ca, nil
}
