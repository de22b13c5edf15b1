package gitsource

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Config says which branch to follow. Everything but URL has a useful zero value.
type Config struct {
	URL          string        // https, ssh (also user@host:path), http, file:// or a path
	Branch       string        // default: main
	PollInterval time.Duration // default: 15s
	Timeout      time.Duration // how long a silent server is waited for; default: 30s
	AllowRewrite bool          // accept a branch that does not descend from what was accepted before
	MaxBytes     int64         // largest pack accepted; default: 256 MiB
	Auth         Auth
	// Dir is this source's own directory, made if need be. Empty: a temporary one.
	Dir string
	// ReadOnly leaves Dir as it is, for a look beside a running daemon: what was accepted and kept is read there, what is
	// fetched goes to a temporary directory.
	ReadOnly bool
	// Notify, if set, is called when Fetch would answer differently: a new commit, Git lost or found again. It must not block.
	Notify func()
}

// Auth is how to prove who asks, and in ssh who answers. Files are read at every conversation, so they may be renewed.
type Auth struct {
	Username       string // default: git
	TokenFile      string // https
	SSHKeyFile     string // ssh: a private key without a passphrase
	KnownHostsFile string // ssh: required
}

// New checks the configuration and opens the directory; it does not touch the network. Call Close in the end.
func New(cfg Config) (*Source, error) {
	cfg.Branch = cmp.Or(cfg.Branch, "main")
	cfg.PollInterval = cmp.Or(cfg.PollInterval, 15*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 30*time.Second)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 256<<20)
	a, err := parseAddress(cfg.URL)
	if err != nil {
		return nil, err
	}
	if err := plumbing.NewBranchReferenceName(cfg.Branch).Validate(); err != nil {
		return nil, fmt.Errorf("git %s: branch %q is not a valid name", a, printable(cfg.Branch))
	}
	if err := checkAuth(a, cfg.Auth); err != nil {
		return nil, fmt.Errorf("git %s: %w", a, err)
	}
	st, err := openStore(cfg.Dir, cfg.ReadOnly || cfg.Dir == "", cfg.MaxBytes, a.String(), cfg.Branch)
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", a, err)
	}
	s := &Source{cfg: cfg, address: a, store: st, turn: make(chan struct{}, 1), hints: make(chan struct{}, 1), shut: func() {}}
	room := spool{st.dir, cfg.MaxBytes}
	switch a.endpoint.Protocol {
	case "file":
		s.origin = &local{path: a.endpoint.Path, branch: cfg.Branch}
	case "ssh":
		s.origin = &remote{branch: cfg.Branch, spool: room, open: openSSH(a, cfg.Auth)}
	default:
		open, shut := openHTTP(a, cfg.Auth)
		s.origin, s.shut = &remote{branch: cfg.Branch, spool: room, open: open}, shut
	}
	return s, nil
}

// checkAuth refuses what could never work, or would be unsafe.
func checkAuth(a address, auth Auth) error {
	switch {
	case a.endpoint.Protocol == "ssh" && auth.SSHKeyFile == "":
		return errors.New("ssh needs git.auth.sshKeyFile")
	case a.endpoint.Protocol == "ssh" && auth.KnownHostsFile == "":
		return errors.New("ssh needs git.auth.knownHostsFile, the file with the host's public key; make it with ssh-keyscan and compare it with what the host publishes")
	case a.endpoint.Protocol == "http" && auth.TokenFile != "" && !loopback(a.endpoint.Host):
		return errors.New("the token would go over the network in plain text; use https")
	}
	return nil
}
