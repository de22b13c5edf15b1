package gitsource

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// address is where the repository is. Credentials that stood in the URL are taken out of the endpoint, so that nothing made
// from it can show them.
type address struct {
	endpoint       *transport.Endpoint
	user, password string
}

// parseAddress understands https, http, ssh (also user@host:path), file:// and plain paths. Its errors never repeat the URL,
// which may hold a password.
func parseAddress(raw string) (address, error) {
	if raw == "" {
		return address{}, errors.New("no git url")
	}
	e, err := transport.NewEndpoint(raw)
	if err != nil {
		return address{}, errors.New("the git url is not valid")
	}
	a := address{endpoint: e, user: e.User, password: e.Password}
	e.User, e.Password = "", ""
	switch e.Protocol {
	case "https", "ssh":
	case "http":
		if a.password != "" && !loopback(e.Host) {
			return address{}, fmt.Errorf("%s: the password would go over the network in plain text; use https", a)
		}
	case "file":
		if e.Host != "" {
			return address{}, fmt.Errorf("a file url with a host %q; write file:///path", e.Host)
		}
	case "git":
		return address{}, fmt.Errorf("%s: git:// proves neither the server nor the content; use https or ssh", a)
	default:
		return address{}, fmt.Errorf("git url scheme %q is not supported; use https, ssh, or a path", e.Protocol)
	}
	return a, nil
}

// String shows the address without user, password and query.
func (a address) String() string {
	shown := *a.endpoint
	shown.Path, _, _ = strings.Cut(shown.Path, "?")
	if shown.Protocol == "file" {
		return shown.Path
	}
	return shown.String()
}

// Redact returns a git URL as it may be shown: without user, password and query.
func Redact(raw string) string {
	if a, err := parseAddress(raw); err == nil {
		return a.String()
	}
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host + u.Path
	}
	return "(a git url that is not valid)"
}

// loopback tells whether a host is this machine, so that nobody can listen on the way.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
