package gitsource

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// sshSession is a conversation in version 0 with git-upload-pack over ssh. Unlike go-git's, it ends with its context at every stage, the
// handshake included, and reads neither ~/.ssh/config nor an agent nor the user's known_hosts. One connection carries one
// request; a further one dials again.
type sshSession struct {
	address address
	auth    Auth
	line    *sshLine
	refs    *packp.AdvRefs
}

// openSSH returns how to begin a conversation over ssh. A server that does not take the wish for version 2, or does not know it, begins in
// version 0.
func openSSH(a address, auth Auth) func(context.Context, string) (talk, map[string]plumbing.Hash, error) {
	return func(ctx context.Context, prefix string) (talk, map[string]plumbing.Hash, error) {
		line, err := dialSSH(ctx, a, auth, transport.UploadPackServiceName, askV2)
		if err != nil {
			return nil, nil, err
		}
		can, err := line.greeting()
		if errors.Is(err, errOldGreeting) {
			s := &sshSession{address: a, auth: auth}
			said, err := s.begin(line)
			if err != nil {
				return nil, nil, err
			}
			return &talkV0{s, said}, said.References, nil
		}
		if err != nil {
			return nil, nil, errors.Join(line.explain(err), line.Close())
		}
		t := &sshTalk{line: line, again: func(ctx context.Context) (*sshLine, error) {
			line, err := dialSSH(ctx, a, auth, transport.UploadPackServiceName, askV2)
			if err != nil {
				return nil, err
			}
			if _, err := line.greeting(); err != nil {
				return nil, errors.Join(line.explain(err), line.Close())
			}
			return line, nil
		}}
		t.talkV2 = &talkV2{can: can, send: func(_ context.Context, command []byte) (io.ReadCloser, error) { return t.line.command(command) }}
		refs, err := t.refs(ctx, prefix)
		if err != nil {
			return nil, nil, errors.Join(line.explain(err), line.Close())
		}
		return t, refs, nil
	}
}

// sshTalk is a conversation in version 2. One connection carries what is asked of references and one fetch: git's own server does not
// bear a second.
type sshTalk struct {
	*talkV2
	line    *sshLine
	fetched bool
	again   func(context.Context) (*sshLine, error)
}

func (t *sshTalk) fetch(ctx context.Context, w wish, to io.Writer) ([]plumbing.Hash, error) {
	if t.fetched {
		line, err := t.again(ctx)
		if err != nil {
			return nil, err
		}
		t.line.leave() // it has done what it was for
		t.line = line
	}
	t.fetched = true
	return t.talkV2.fetch(ctx, w, to)
}

// Close ends it politely.
func (t *sshTalk) Close() error { return t.line.leave() }

func (s *sshSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return nil, errors.New("ssh needs a context")
}

// AdvertisedReferencesContext connects: the server speaks first, with its references.
func (s *sshSession) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	line, err := dialSSH(ctx, s.address, s.auth, transport.UploadPackServiceName, "")
	if err != nil {
		return nil, err
	}
	return s.begin(line)
}

// begin hears what the server says first.
func (s *sshSession) begin(line *sshLine) (*packp.AdvRefs, error) {
	refs := packp.NewAdvRefs()
	if err := refs.Decode(io.LimitReader(line.out, maxListing)); err != nil {
		return nil, errors.Join(line.explain(err), line.Close())
	}
	if refs.IsEmpty() {
		return nil, errors.Join(transport.ErrEmptyRemoteRepository, line.Close())
	}
	transport.FilterUnsupportedCapabilities(refs.Capabilities)
	s.line, s.refs = line, refs
	return refs, nil
}

// UploadPack uses up the connection; closing the answer closes it.
func (s *sshSession) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if s.line == nil {
		if _, err := s.AdvertisedReferencesContext(ctx); err != nil {
			return nil, err
		}
	}
	line := s.line
	s.line = nil
	if err := req.Validate(); err != nil {
		return nil, errors.Join(err, line.Close())
	}
	var ask bytes.Buffer
	err := errors.Join(
		req.UploadRequest.Encode(&ask),
		req.UploadHaves.Encode(&ask, false),
		pktline.NewEncoder(&ask).EncodeString("done\n"),
	)
	if err == nil {
		_, err = line.in.Write(ask.Bytes())
	}
	answer := packp.NewUploadPackResponse(req)
	if err == nil {
		err = answer.Decode(line)
	}
	if err != nil {
		return nil, errors.Join(line.explain(err), line.Close())
	}
	return answer, nil
}

// Close ends a conversation in which nothing was asked for, politely.
func (s *sshSession) Close() error {
	if s.line == nil {
		return nil
	}
	line := s.line
	s.line = nil
	return line.leave()
}
