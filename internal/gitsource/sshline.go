package gitsource

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// sshLine is one running git-upload-pack or git-receive-pack.
type sshLine struct {
	client *ssh.Client
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *firstLine
	stop   func() bool
	done   chan struct{} // stderr has been read to its end
}

// begins reports whether the server says this next.
func (l *sshLine) begins(with string) bool {
	first, err := l.out.Peek(len(with))
	return err == nil && string(first) == with
}

func (l *sshLine) Read(p []byte) (int, error) { return l.out.Read(p) }

// errOldGreeting is what a server says that speaks version 0: its references.
var errOldGreeting = errors.New("the server does not speak version 2")

// greeting hears what the server can do, unless it is an old one; then nothing is read.
func (l *sshLine) greeting() (abilities, error) {
	if !l.begins(greetingV2[:4]) || !l.begins(greetingV2) { // an old server may say no more than four bytes
		return nil, errOldGreeting
	}
	l.out.Discard(len(greetingV2)) // from the buffer: it cannot fail
	return readAbilities(l.out)
}

// command sends one request of version 2, whose answer ends by itself.
func (l *sshLine) command(command []byte) (io.ReadCloser, error) {
	if _, err := l.in.Write(command); err != nil {
		return nil, l.explain(err)
	}
	return io.NopCloser(l), nil
}

// leave ends a conversation politely.
func (l *sshLine) leave() error {
	l.in.Write(pktline.FlushPkt) // only a courtesy
	return l.Close()
}

func (l *sshLine) Close() error {
	l.stop()
	err := l.client.Close()
	<-l.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// explain prefers what the server wrote to standard error over the end of a stream.
func (l *sshLine) explain(err error) error {
	l.client.Close() // makes stderr end
	<-l.done
	text := l.stderr.String()
	switch {
	case text == "":
		return err
	case strings.Contains(text, "does not appear to be a git repository"), strings.Contains(text, "not found"):
		return transport.ErrRepositoryNotFound
	}
	return fmt.Errorf("the server says: %s", printable(text))
}

// dialSSH connects, proves the host, authenticates and starts the service. Everything ends when ctx does.
// A protocol other than "" is wished for.
func dialSSH(ctx context.Context, a address, auth Auth, service, protocol string) (*sshLine, error) {
	host := strings.Trim(a.endpoint.Host, "[]")
	port := a.endpoint.Port
	if port == 0 {
		port = 22
	}
	where := net.JoinHostPort(host, strconv.Itoa(port))
	config, err := sshConfig(a, auth, where)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", where)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	sshConn, channels, requests, err := ssh.NewClientConn(&progressConn{conn, ctx}, where, config)
	if err != nil {
		stop()
		conn.Close()
		return nil, handshakeError(err, where, auth)
	}
	client := ssh.NewClient(sshConn, channels, requests)
	line, err := startService(client, service, a.endpoint.Path, protocol)
	if err != nil {
		stop()
		return nil, errors.Join(err, client.Close())
	}
	line.stop = stop
	return line, nil
}

// startService runs the one command that a fetch or a push needs.
func startService(client *ssh.Client, service, path, protocol string) (*sshLine, error) {
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	line := &sshLine{client: client, stderr: new(firstLine), done: make(chan struct{})}
	if line.in, err = session.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	line.out = bufio.NewReader(out)
	stderr, err := session.StderrPipe()
	if err != nil {
		return nil, err
	}
	if protocol != "" { // not waited for: a server that refuses it answers in the old version
		wish := struct{ Name, Value string }{"GIT_PROTOCOL", protocol}
		if _, err := session.SendRequest("env", false, ssh.Marshal(wish)); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(path, "/~") { // ssh://host/~user/x is relative to that user's home
		path = path[1:]
	}
	if err := session.Start(service + " '" + strings.ReplaceAll(path, "'", `'\''`) + "'"); err != nil {
		return nil, err
	}
	go func() { // joined by Close and explain
		defer close(line.done)
		io.Copy(line.stderr, stderr)
	}()
	return line, nil
}

// sshConfig reads the key and the known hosts anew, so that renewed files count at the next poll.
func sshConfig(a address, auth Auth, where string) (*ssh.ClientConfig, error) {
	key, err := os.ReadFile(auth.SSHKeyFile)
	if err != nil {
		return nil, fmt.Errorf("sshKeyFile: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(key)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, fmt.Errorf("sshKeyFile: %s has a passphrase, and there is nobody to ask for it", auth.SSHKeyFile)
	}
	if err != nil {
		return nil, fmt.Errorf("sshKeyFile: %s holds no private key", auth.SSHKeyFile)
	}
	hosts, err := knownhosts.NewDB(auth.KnownHostsFile)
	if err != nil {
		return nil, fmt.Errorf("knownHostsFile: %w", err)
	}
	return &ssh.ClientConfig{
		User:              cmp.Or(auth.Username, a.user, "git"),
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   hosts.HostKeyCallback(),
		HostKeyAlgorithms: hosts.HostKeyAlgorithms(where),
	}, nil
}

// handshakeError says which of the two sides was not accepted, and which file decides it.
func handshakeError(err error, where string, auth Auth) error {
	switch {
	case knownhosts.IsHostKeyChanged(err):
		return fmt.Errorf("the host key of %s is not the one in %s: either the server has a new one, or someone is in between", where, auth.KnownHostsFile)
	case knownhosts.IsHostUnknown(err):
		return fmt.Errorf("%s has no key for %s; add it with ssh-keyscan, and compare it with what the host publishes", auth.KnownHostsFile, where)
	case strings.Contains(err.Error(), "no common algorithm for host key"):
		return fmt.Errorf("%s has no host key of a kind that %s lists for it; add its other keys with ssh-keyscan", where, auth.KnownHostsFile)
	case strings.Contains(err.Error(), "unable to authenticate"):
		return fmt.Errorf("authentication failed: %s does not accept the key in %s", where, auth.SSHKeyFile)
	}
	return err
}

// progressConn tells a poll's patience of every byte that arrives.
type progressConn struct {
	net.Conn
	ctx context.Context
}

func (c *progressConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	progress(c.ctx)
	return n, err
}

// firstLine keeps the beginning of what is written to it.
type firstLine struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

func (f *firstLine) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if room := 1024 - f.kept.Len(); room > 0 {
		f.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (f *firstLine) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for line := range strings.Lines(f.kept.String()) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}
