package gitsource

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// Version 2 of Git's protocol, as far as it is needed: a client asks for the references that begin with a name, where version 0 lists all
// of them before anything is said. go-git speaks version 0 alone; its packets and its demultiplexer serve both.

// askV2 is what a client says to be answered in version 2: a header over http, an environment variable over ssh.
const askV2 = "version=2"

// greetingV2 is the first packet of a server that does.
const greetingV2 = "000eversion 2\n"

// maxGreeting bounds what a server may say of itself.
const maxGreeting = 64 << 10

// talkV2 is a conversation in version 2: each command is a request of its own.
type talkV2 struct {
	can  abilities
	send func(ctx context.Context, command []byte) (io.ReadCloser, error) // the answer must be read to its end before the next is sent
}

// abilities are what a server says it can do, by their names.
type abilities map[string]string

// readAbilities reads a greeting from behind its first packet.
func readAbilities(from io.Reader) (abilities, error) {
	can := abilities{}
	r := packets{from: io.LimitReader(from, maxGreeting)}
	for r.next() {
		name, value, _ := strings.Cut(r.text(), "=")
		can[name] = value
	}
	switch format := can["object-format"]; {
	case r.err != nil:
		return nil, r.err
	case format != "" && format != "sha1":
		return nil, errSHA256
	}
	return can, nil
}

// command writes a command with its arguments.
func (t *talkV2) command(name string, args ...string) []byte {
	var out bytes.Buffer
	to := pktline.NewEncoder(&out) // into memory: it cannot fail
	to.Encodef("command=%s\n", name)
	if _, ok := t.can["agent"]; ok {
		to.Encodef("agent=%s\n", capability.DefaultAgent())
	}
	if _, ok := t.can["object-format"]; ok {
		to.EncodeString("object-format=sha1\n")
	}
	out.WriteString("0001")
	for _, arg := range args {
		to.Encodef("%s\n", arg)
	}
	to.Flush()
	return out.Bytes()
}

func (t *talkV2) refs(ctx context.Context, prefix string) (refs map[string]plumbing.Hash, err error) {
	answer, err := t.send(ctx, t.command("ls-refs", "ref-prefix "+prefix))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	bounded := &io.LimitedReader{R: answer, N: maxListing}
	refs = map[string]plumbing.Hash{}
	r := packets{from: bounded}
	for r.next() {
		hash, rest, _ := strings.Cut(r.text(), " ")
		name, _, _ := strings.Cut(rest, " ")
		if raw, err := hex.DecodeString(hash); err != nil || len(raw) != len(plumbing.ZeroHash) || name == "" {
			return nil, fmt.Errorf("the server's list of references is not understood: %q", printable(r.text()))
		}
		refs[name] = plumbing.NewHash(hash)
	}
	if bounded.N <= 0 {
		return nil, errTooLong
	}
	return refs, r.err
}

func (t *talkV2) filters() bool { return slices.Contains(strings.Fields(t.can["fetch"]), "filter") }

func (t *talkV2) fetch(ctx context.Context, w wish, to io.Writer) (edge []plumbing.Hash, err error) {
	if !slices.Contains(strings.Fields(t.can["fetch"]), "shallow") {
		return nil, errNoShallow
	}
	args := []string{"no-progress", "ofs-delta", "want " + w.want.String(), "deepen " + strconv.Itoa(w.depth)}
	if w.filter != "" {
		args = append(args, "filter "+string(w.filter))
	}
	if w.thin {
		args = append(args, "thin-pack", "shallow "+w.have.String())
	}
	if !w.have.IsZero() {
		args = append(args, "have "+w.have.String())
	}
	answer, err := t.send(ctx, t.command("fetch", append(args, "done")...))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, answer.Close()) }()
	r := packets{from: answer}
	for r.next() {
		cut, isCut := strings.CutPrefix(r.text(), "shallow ")
		switch {
		case isCut:
			edge = append(edge, plumbing.NewHash(cut))
		case r.text() == "packfile":
			_, err := io.Copy(to, sideband.NewDemuxer(sideband.Sideband64k, answer))
			return edge, err
		} // other sections, and their names, say nothing that was asked for
	}
	if r.err == nil {
		r.err = errors.New("the server sends no pack")
	}
	return nil, r.err
}

// Close has nothing to end where each command is a request of its own.
func (t *talkV2) Close() error { return nil }

// packets reads packet after packet up to a flush. What stands between sections is skipped.
type packets struct {
	from    io.Reader
	payload []byte
	err     error
}

// next is false at the flush, and after an error.
func (p *packets) next() bool {
	for p.err == nil {
		var head [4]byte
		if _, p.err = io.ReadFull(p.from, head[:]); p.err != nil {
			p.err = noEOF(p.err)
			return false
		}
		size, err := strconv.ParseUint(string(head[:]), 16, 16)
		switch {
		case err != nil || size == 3 || size > pktline.OversizePayloadMax+4:
			p.err = pktline.ErrInvalidPktLen
		case size == 0:
			return false
		case size < 4: // a delimiter
		default:
			return p.read(int(size - 4))
		}
	}
	return false
}

func (p *packets) read(size int) bool {
	p.payload = slices.Grow(p.payload[:0], size)[:size]
	if _, err := io.ReadFull(p.from, p.payload); err != nil {
		p.err = noEOF(err)
		return false
	}
	if said, isError := strings.CutPrefix(p.text(), "ERR "); isError {
		p.err = &pktline.ErrorLine{Text: said}
	}
	return p.err == nil
}

// text is the packet without the line feed at its end.
func (p *packets) text() string { return strings.TrimSuffix(string(p.payload), "\n") }

// noEOF is err, but that an answer ends before its flush is never as it should be.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
