package gitsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	inmemory "github.com/go-git/go-git/v5/storage/memory"
)

// receiver is a conversation with git-receive-pack.
type receiver interface {
	AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error)
	ReceivePack(context.Context, *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error)
	Close() error
}

// remoteGate begins conversations with git-receive-pack behind https or ssh.
type remoteGate func(context.Context) (receiver, error)

// push names the old commit to the server, which moves the branch only from there.
func (open remoteGate) push(ctx context.Context, branch string, old, to plumbing.Hash, objects []plumbing.EncodedObject) (err error) {
	session, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	refs, err := session.AdvertisedReferencesContext(ctx)
	if err != nil {
		return mayWrite(err)
	}
	if refs.References[branchRef(branch)] != old {
		return ErrMoved
	}
	if !refs.Capabilities.Supports(capability.ReportStatus) {
		return errors.New("the server does not report what becomes of a push (no report-status capability)")
	}
	req := packp.NewReferenceUpdateRequest()
	for _, c := range []capability.Capability{capability.ReportStatus, capability.Sideband64k} {
		if refs.Capabilities.Supports(c) {
			if err := req.Capabilities.Set(c); err != nil {
				return err
			}
		}
	}
	remarks := new(firstLine)
	req.Progress = remarks
	req.Commands = []*packp.Command{{Name: plumbing.NewBranchReferenceName(branch), Old: old, New: to}}
	if req.Packfile, err = packOf(objects); err != nil {
		return err
	}
	report, err := session.ReceivePack(ctx, req)
	switch {
	case report != nil && report.Error() != nil:
		return refused(branch, report, remarks.String())
	case err != nil:
		return mayWrite(err)
	case report == nil:
		return errors.New("the server does not say what became of the push")
	}
	return nil
}

// refused is a server's no: its reason, and the first line that its hooks wrote.
func refused(branch string, report *packp.ReportStatus, remark string) error {
	why := report.Error().Error()
	for _, c := range report.CommandStatuses {
		if c.Error() != nil {
			why = c.Status
		}
	}
	if remark != "" {
		why += ": " + remark
	}
	return fmt.Errorf("the push to branch %s was refused: %s", branch, strings.TrimSpace(why))
}

// mayWrite tells credentials that are good for reading alone from those that are good for nothing.
func mayWrite(err error) error {
	if errors.Is(err, transport.ErrAuthorizationFailed) {
		return errors.Join(errMayNotWrite, err)
	}
	return err
}

// packOf is a pack of whole objects. They are few and small: one commit over files of the stack.
func packOf(objects []plumbing.EncodedObject) (io.ReadCloser, error) {
	kept := inmemory.NewStorage()
	var names []plumbing.Hash
	for _, o := range objects {
		h, err := kept.SetEncodedObject(o)
		if err != nil {
			return nil, err
		}
		names = append(names, h)
	}
	var pack bytes.Buffer
	if _, err := packfile.NewEncoder(&pack, kept, false).Encode(names, 0); err != nil {
		return nil, err
	}
	return io.NopCloser(&pack), nil
}

// receiveHTTP returns how to begin a push over https, with the proof that reading takes.
func receiveHTTP(a address, auth Auth) (func(context.Context) (receiver, error), func()) {
	client, shut := httpClient()
	return func(context.Context) (receiver, error) {
		endpoint, method, err := httpParty(a, auth)
		if err != nil {
			return nil, err
		}
		return githttp.NewClient(client).NewReceivePackSession(endpoint, method)
	}, shut
}

// sshReceiver is a push over ssh: one connection, as sshSession has it.
type sshReceiver struct {
	address address
	auth    Auth
	line    *sshLine
}

// AdvertisedReferencesContext connects: the server speaks first, with its references.
func (s *sshReceiver) AdvertisedReferencesContext(ctx context.Context) (*packp.AdvRefs, error) {
	line, err := dialSSH(ctx, s.address, s.auth, transport.ReceivePackServiceName, "")
	if err != nil {
		return nil, err
	}
	refs := packp.NewAdvRefs()
	if err := refs.Decode(io.LimitReader(line.out, maxListing)); err != nil {
		return nil, errors.Join(line.explain(err), line.Close())
	}
	s.line = line
	return refs, nil
}

func (s *sshReceiver) ReceivePack(_ context.Context, req *packp.ReferenceUpdateRequest) (*packp.ReportStatus, error) {
	if err := req.Encode(s.line.in); err != nil {
		return nil, s.line.explain(err)
	}
	var answer io.Reader = s.line
	if req.Capabilities.Supports(capability.Sideband64k) {
		d := sideband.NewDemuxer(sideband.Sideband64k, s.line)
		d.Progress = req.Progress
		answer = d
	}
	report := packp.NewReportStatus()
	if err := report.Decode(answer); err != nil {
		return nil, s.line.explain(err)
	}
	return report, report.Error()
}

func (s *sshReceiver) Close() error {
	if s.line == nil {
		return nil
	}
	line := s.line
	s.line = nil
	return line.Close()
}
