package gitsource

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// greeting is what a server says first if it speaks version 2, and where it does: redirects were followed until there.
type greeting struct {
	service *url.URL // of git-upload-pack
	proven  bool     // who asks may be proven there, too: it is where the credentials were meant for
	moved   bool     // another address has led there
	can     abilities
	err     error // it was not understood
}

type greetingKey struct{}

// httpTalks begins conversations over https. The token is read anew each time, so a file that was renewed counts at the next poll.
// Cookies, ~/.netrc and credential helpers play no part. It must not be used from two goroutines at once.
type httpTalks struct {
	address address
	auth    Auth
	client  *http.Client
	git     transport.Transport // go-git's way to it
	known   *greeting           // the last one; it saves a request
}

// openHTTP returns how to begin a conversation over https, and how to end its idle connections.
func openHTTP(a address, auth Auth) (func(context.Context, string) (talk, map[string]plumbing.Hash, error), func()) {
	client, shut := httpClient()
	git := githttp.NewClient(client)
	alone := *client
	alone.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return (&httpTalks{address: a, auth: auth, client: &alone, git: git}).open, shut
}

// open goes to where the server spoke version 2 before. If that comes to nothing, whatever the reason, it begins from the beginning.
func (h *httpTalks) open(ctx context.Context, prefix string) (talk, map[string]plumbing.Hash, error) {
	if h.known != nil {
		t := h.talk(h.known)
		if refs, err := t.refs(ctx, prefix); err == nil {
			return t, refs, nil
		}
		h.known = nil
	}
	endpoint, method, err := httpParty(h.address, h.auth)
	if err != nil {
		return nil, nil, err
	}
	session, err := h.git.NewUploadPackSession(endpoint, method)
	if err != nil {
		return nil, nil, err
	}
	var g greeting
	said, err := session.AdvertisedReferencesContext(context.WithValue(ctx, greetingKey{}, &g))
	switch {
	case g.err != nil:
		return nil, nil, g.err
	case g.can != nil: // go-git has found no references in it
		t := h.talk(&g)
		refs, err := t.refs(ctx, prefix)
		if err == nil && !g.moved { // where an address leads may change, and what it led to may go on answering
			h.known = &g
		}
		return t, refs, err
	case err != nil:
		return nil, nil, err
	}
	return &talkV0{session, said}, said.References, nil
}

// ask wants to be greeted in version 2, if this request begins a fetch.
func ask(req *http.Request) *http.Request {
	if req.Context().Value(greetingKey{}) == nil {
		return req
	}
	req = req.Clone(req.Context())
	req.Header.Set("Git-Protocol", askV2)
	return req
}

// hear takes down the greeting of a server that speaks version 2, and leaves any other answer as it is.
func hear(req *http.Request, res *http.Response) {
	g, ok := req.Context().Value(greetingKey{}).(*greeting)
	if !ok || res.StatusCode != http.StatusOK {
		return
	}
	body := bufio.NewReader(res.Body)
	res.Body = struct {
		io.Reader
		io.Closer
	}{body, res.Body}
	const banner, begins = "001e# service=git-upload-pack\n0000", "/info/refs"
	for _, before := range []string{banner, ""} { // it may be left out
		first, err := body.Peek(len(before) + len(greetingV2))
		if err != nil || string(first) != before+greetingV2 || !strings.HasSuffix(req.URL.Path, begins) {
			continue
		}
		body.Discard(len(first)) // from the buffer: it cannot fail
		_, _, g.proven = req.BasicAuth()
		g.moved = req.Response != nil
		g.service = req.URL.JoinPath("..", "..", transport.UploadPackServiceName)
		g.service.RawQuery = ""
		g.can, g.err = readAbilities(body)
		return
	}
}

// talk is a conversation with a server that has greeted.
func (h *httpTalks) talk(g *greeting) *httpTalk {
	return &httpTalk{h, &talkV2{can: g.can, send: func(ctx context.Context, command []byte) (io.ReadCloser, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.service.String(), bytes.NewReader(command))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Git-Protocol", askV2)
		req.Header.Set("User-Agent", capability.DefaultAgent())
		req.Header.Set("Content-Type", "application/x-git-upload-pack-request")
		const result = "application/x-git-upload-pack-result"
		req.Header.Set("Accept", result)
		if g.proven {
			_, method, err := httpParty(h.address, h.auth)
			if err != nil {
				return nil, err
			}
			if basic, ok := method.(*githttp.BasicAuth); ok {
				basic.SetAuth(req)
			}
		}
		res, err := h.client.Do(req)
		if err != nil {
			return nil, err
		}
		if err := githttp.NewErr(res); err != nil {
			return nil, errors.Join(err, res.Body.Close())
		}
		if kind := res.Header.Get("Content-Type"); kind != result {
			return nil, errors.Join(fmt.Errorf("the server answers with %q instead of git's own", printable(kind)), res.Body.Close())
		}
		return drained{res.Body}, nil
	}}}
}

// httpTalk forgets a greeting that does not hold.
type httpTalk struct {
	from *httpTalks
	*talkV2
}

func (t *httpTalk) fetch(ctx context.Context, w wish, to io.Writer) ([]plumbing.Hash, error) {
	edge, err := t.talkV2.fetch(ctx, w, to)
	if err != nil {
		t.from.known = nil
	}
	return edge, err
}

// drained is an answer that leaves the connection good for the next request.
type drained struct{ io.ReadCloser }

func (d drained) Close() error {
	io.CopyN(io.Discard, d.ReadCloser, 4<<10) // only a courtesy
	return d.ReadCloser.Close()
}
