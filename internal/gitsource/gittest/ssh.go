package gittest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSH serves all repositories under a directory to the owner of KeyFile.
type SSH struct {
	Addr           string // host:port
	KeyFile        string // a client key that is accepted
	KnownHostsFile string // names this server's host key

	root     string
	config   *ssh.ServerConfig
	listener net.Listener
	running  sync.WaitGroup

	sent atomic.Int64

	mu          sync.Mutex
	old         bool
	connections int
	open        map[net.Conn]bool
}

// ServeSSH starts a server on loopback for the repositories under root; it writes its keys into dir. Close it.
func ServeSSH(root, dir string) (*SSH, error) {
	host, _, err := newKey()
	if err != nil {
		return nil, err
	}
	client, clientPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &SSH{
		Addr:           listener.Addr().String(),
		KeyFile:        filepath.Join(dir, "id_ed25519"),
		KnownHostsFile: filepath.Join(dir, "known_hosts"),
		root:           root, listener: listener, open: map[net.Conn]bool{},
	}
	line := knownhosts.Line([]string{s.Addr}, host.PublicKey()) + "\n"
	err = errors.Join(os.WriteFile(s.KeyFile, clientPEM, 0o600), os.WriteFile(s.KnownHostsFile, []byte(line), 0o600))
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(client.PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	s.config.AddHostKey(host)
	s.running.Go(s.accept)
	return s, nil
}

// NewKeyFile writes a new private key that no server knows.
func NewKeyFile(path string) error {
	_, content, err := newKey()
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func newKey() (ssh.Signer, []byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, pem.EncodeToMemory(block), err
}

// Repo is the URL of a repository.
func (s *SSH) Repo(name string) string {
	return fmt.Sprintf("ssh://git@%s%s", s.Addr, filepath.Join(s.root, name+".git"))
}

// Sent is how many bytes clients were sent so far, encryption and all.
func (s *SSH) Sent() int64 { return s.sent.Load() }

// Connections is how many there were so far.
func (s *SSH) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

// GrowOld has the server speak version 0 of the protocol alone from now on, as one does that takes no variables from clients.
func (s *SSH) GrowOld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = true
}

// Close ends all connections and waits for what served them.
func (s *SSH) Close() {
	s.listener.Close()
	s.mu.Lock()
	for conn := range s.open {
		conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *SSH) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.connections++
		s.open[conn] = true
		s.mu.Unlock()
		s.running.Go(func() {
			s.serve(conn)
			conn.Close()
			s.mu.Lock()
			delete(s.open, conn)
			s.mu.Unlock()
		})
	}
}

func (s *SSH) serve(conn net.Conn) {
	server, channels, requests, err := ssh.NewServerConn(sendingConn{conn, &s.sent}, s.config)
	if err != nil {
		return
	}
	defer server.Close()
	var sessions sync.WaitGroup
	defer sessions.Wait()
	sessions.Go(func() { ssh.DiscardRequests(requests) })
	for offered := range channels {
		if offered.ChannelType() != "session" {
			offered.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		sessions.Go(func() { s.session(channel, requests) })
	}
}

// session runs one git-upload-pack or git-receive-pack; anything else is refused.
func (s *SSH) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	env := environment()
	for request := range requests {
		var variable struct{ Name, Value string }
		if request.Type == "env" && ssh.Unmarshal(request.Payload, &variable) == nil && variable.Name == "GIT_PROTOCOL" {
			s.mu.Lock()
			taken := !s.old
			s.mu.Unlock()
			if taken {
				env = append(env, variable.Name+"="+variable.Value)
			}
			request.Reply(taken, nil)
			continue
		}
		var command struct{ Line string }
		if request.Type != "exec" || ssh.Unmarshal(request.Payload, &command) != nil {
			request.Reply(false, nil)
			continue
		}
		service, path, ok := strings.Cut(command.Line, " '")
		if !ok || service != "git-upload-pack" && service != "git-receive-pack" {
			request.Reply(false, nil)
			continue
		}
		request.Reply(true, nil)
		cmd := exec.Command("git", strings.TrimPrefix(service, "git-"), strings.TrimSuffix(path, "'"))
		cmd.Env = env
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return
		}
		cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
		if cmd.Start() != nil {
			return
		}
		var copying sync.WaitGroup
		copying.Go(func() { copyAndClose(stdin, channel) })
		status := struct{ Status uint32 }{}
		if cmd.Wait() != nil {
			status.Status = 128
		}
		channel.SendRequest("exit-status", false, ssh.Marshal(status))
		channel.Close()
		copying.Wait()
		return
	}
}

type sendingConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c sendingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

func copyAndClose(to io.WriteCloser, from io.Reader) {
	io.Copy(to, from)
	to.Close()
}
