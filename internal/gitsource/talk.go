package gitsource

import (
	"context"
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// talk is a conversation with git-upload-pack, in whichever version of the protocol the server speaks.
type talk interface {
	// refs are the references whose names begin with a prefix, and perhaps others.
	refs(ctx context.Context, prefix string) (map[string]plumbing.Hash, error)
	// filters reports whether the server leaves out objects if it is asked to.
	filters() bool
	// fetch streams a pack to a writer, and returns the commits at which the server cut the history.
	fetch(ctx context.Context, w wish, to io.Writer) (edge []plumbing.Hash, err error)
	Close() error
}

// wish is what is asked for in a fetch.
type wish struct {
	want   plumbing.Hash
	depth  int           // of its history
	have   plumbing.Hash // nothing that it reaches is sent; zero: there is nothing yet
	thin   bool          // of have, its files are here and nothing that came before it; what is sent may stand on them
	filter packp.Filter  // only for a server that filters
}

var (
	errNoShallow = errors.New("the server cannot send a single commit (no shallow capability)")
	errTooLong   = errors.New("the server's answer is too long")
)

// talkV0 is a conversation in version 0, in which the server has listed everything at its beginning.
type talkV0 struct {
	session transport.UploadPackSession
	said    *packp.AdvRefs
}

func (t *talkV0) refs(context.Context, string) (map[string]plumbing.Hash, error) {
	return t.said.References, nil
}

func (t *talkV0) filters() bool { return t.said.Capabilities.Supports(capability.Filter) }
func (t *talkV0) Close() error  { return t.session.Close() }

func (t *talkV0) fetch(ctx context.Context, w wish, to io.Writer) (edge []plumbing.Hash, err error) {
	req, err := t.request(w)
	if err != nil {
		return nil, err
	}
	answer, err := t.session.UploadPack(ctx, req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	var content io.Reader = answer
	if req.Capabilities.Supports(capability.Sideband64k) {
		content = sideband.NewDemuxer(sideband.Sideband64k, answer)
	}
	_, err = io.Copy(to, content)
	return answer.Shallows, err
}

func (t *talkV0) request(w wish) (*packp.UploadPackRequest, error) {
	can := t.said.Capabilities
	if !can.Supports(capability.Shallow) {
		return nil, errNoShallow
	}
	req := packp.NewUploadPackRequest()
	req.Wants = []plumbing.Hash{w.want}
	req.Depth = packp.DepthCommits(w.depth)
	for _, c := range []capability.Capability{capability.Shallow, capability.OFSDelta, capability.Sideband64k, capability.NoProgress} {
		if can.Supports(c) {
			if err := req.Capabilities.Set(c); err != nil {
				return nil, err
			}
		}
	}
	if w.filter != "" {
		req.Capabilities.Set(capability.Filter) // takes no argument: it cannot fail
		req.Filter = w.filter
	}
	if !w.have.IsZero() {
		req.Haves = []plumbing.Hash{w.have}
	}
	if w.thin {
		// go-git takes thin-pack for unsupported and hides whether the server offers it. Without it a server leaves out only what the parent
		// of a commit that it sends has, so the parent is asked for, too.
		req.Shallows = []plumbing.Hash{w.have}
		req.Depth = packp.DepthCommits(w.depth + 1)
	}
	return req, nil
}
