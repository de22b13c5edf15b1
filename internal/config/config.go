// Package config is the daemon's own configuration: its YAML, its defaults and what it refuses. It reads nothing but that
// file; the stack that it points to is the business of the desired room, and secrets stay in the files that it names.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Modes of a stack.
const (
	Apply   = "apply"
	Observe = "observe"
)

// maxFile bounds the file: a configuration is small, and anything larger is a mistake.
const maxFile = 1 << 20

// Config is the whole file. The zero value is of no use: Load and Parse start from Default.
type Config struct {
	Stacks        []Stack  `yaml:"stacks"`
	Listen        string   `yaml:"listen"`
	ControlSocket string   `yaml:"controlSocket"`
	StateDir      string   `yaml:"stateDir"`
	Width         int      `yaml:"width"` // looks and steps at once, of all stacks together
	Log           Log      `yaml:"log"`
	UndoManagers  []string `yaml:"undoManagers"`
	GCP           GCP      `yaml:"gcp"`
	Prices        string   `yaml:"prices"`
	Webhook       Webhook  `yaml:"webhook"`
}

// Webhook is where Git hosts may tell of pushes.
type Webhook struct {
	Listen string `yaml:"listen"` // HOST:PORT; "": nowhere
}

// Stack is one stack to be kept converged.
type Stack struct {
	Name        string     `yaml:"name"`
	Project     string     `yaml:"project"`
	Git         Git        `yaml:"git"`
	Environment string     `yaml:"environment"`
	Interval    Duration   `yaml:"interval"`
	Mode        string     `yaml:"mode"`
	Prune       bool       `yaml:"prune"`
	MaxDeletes  int        `yaml:"maxDeletes"`
	Width       int        `yaml:"width"`
	MinGap      Duration   `yaml:"minGap"`
	StepTimeout Duration   `yaml:"stepTimeout"`
	Kubernetes  Kubernetes `yaml:"kubernetes"`
	Impersonate string     `yaml:"impersonate"`
	Secrets     Secrets    `yaml:"secrets"`

	ImageUpdates ImageUpdates `yaml:"imageUpdates"`
}

// ImageUpdates says what becomes of a new tag that an image's policy chooses. Without Push it runs directly.
type ImageUpdates struct {
	Push     string   `yaml:"push"`     // branch that new tags are committed to
	Author   Author   `yaml:"author"`   // of those commits
	Interval Duration `yaml:"interval"` // how often a repository's tags are listed
}

// Author is whose name stands on a commit.
type Author struct {
	Name  string `yaml:"name"`
	Email string `yaml:"email"`
}

// Git says where the stack file is.
type Git struct {
	URL          string   `yaml:"url"`
	Branch       string   `yaml:"branch"`
	Path         string   `yaml:"path"`
	PollInterval Duration `yaml:"pollInterval"`
	AllowRewrite bool     `yaml:"allowRewrite"`
	MaxBytes     Size     `yaml:"maxBytes"`
	Auth         Auth     `yaml:"auth"`

	WebhookSecretFile string `yaml:"webhookSecretFile"` // what a host that tells of pushes signs with; "": it is not listened to
}

// Auth names the files that hold the keys to a repository, never the keys.
type Auth struct {
	Username       string `yaml:"username"`
	TokenFile      string `yaml:"tokenFile"`
	SSHKeyFile     string `yaml:"sshKeyFile"`
	KnownHostsFile string `yaml:"knownHostsFile"`
}

// Secrets says what the stack's secrets are read with.
type Secrets struct {
	AgeKeyFile string   `yaml:"ageKeyFile"` // opens encrypted files
	Refresh    Duration `yaml:"refresh"`    // how often Secret Manager is asked for newer versions
}

// Kubernetes selects an API server other than that of the stack's own cluster.
type Kubernetes struct {
	Kubeconfig string `yaml:"kubeconfig"`
	Context    string `yaml:"context"`
}

// Log says how much is logged, and how.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// GCP says how Google's services are reached.
type GCP struct {
	Endpoints       Endpoints `yaml:"endpoints"`
	Insecure        bool      `yaml:"insecure"`
	AccessTokenFile string    `yaml:"accessTokenFile"`
}

// Endpoints replace Google's own addresses; "" leaves the library's default.
type Endpoints struct {
	Container        string `yaml:"container"`
	ArtifactRegistry string `yaml:"artifactregistry"`
	Storage          string `yaml:"storage"`
	IAM              string `yaml:"iam"`
	Compute          string `yaml:"compute"`
	ResourceManager  string `yaml:"resourcemanager"`
	ServiceUsage     string `yaml:"serviceusage"`
	Monitoring       string `yaml:"monitoring"`
	Billing          string `yaml:"billing"`
	Logging          string `yaml:"logging"`
	SecretManager    string `yaml:"secretmanager"`
}

// Map is the endpoints that are set, by service.
func (e Endpoints) Map() map[string]string {
	m := map[string]string{
		"container": e.Container, "artifactregistry": e.ArtifactRegistry, "storage": e.Storage, "iam": e.IAM,
		"compute": e.Compute, "resourcemanager": e.ResourceManager, "serviceusage": e.ServiceUsage,
		"monitoring": e.Monitoring, "billing": e.Billing, "logging": e.Logging, "secretmanager": e.SecretManager,
	}
	for service, address := range m {
		if address == "" {
			delete(m, service)
		}
	}
	return m
}

// Default is what holds where the file says nothing.
func Default() Config {
	return Config{
		Listen:        "127.0.0.1:9465",
		ControlSocket: "/run/recsysd/control.sock",
		StateDir:      "/var/lib/recsysd",
		Width:         32,
		Log:           Log{Level: "info", Format: "auto"},
	}
}

// DefaultStack is what holds where an entry of stacks says nothing.
func DefaultStack() Stack {
	return Stack{
		Git:         Git{Branch: "main", Path: "stack.yaml", PollInterval: Duration(15 * time.Second), MaxBytes: 256 << 20},
		Interval:    Duration(time.Minute),
		Mode:        Apply,
		Prune:       true,
		MaxDeletes:  10,
		Width:       8,
		MinGap:      Duration(time.Second),
		StepTimeout: Duration(2 * time.Minute),
		Secrets:     Secrets{Refresh: Duration(time.Minute)},
		ImageUpdates: ImageUpdates{
			Author:   Author{Name: "recsysd", Email: "recsysd@localhost"},
			Interval: Duration(time.Minute),
		},
	}
}

// setDefaults is called by the decoder for each new entry of stacks.
func (s *Stack) setDefaults() { *s = DefaultStack() }

// Load reads the file. Relative paths in it are taken from the file's folder. Its error joins every mistake found, each one
// line: file:line:column: path: what is wrong; hint.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes: not a configuration", path, maxFile)
	}
	c, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c.rebase(dir)
	return c, nil
}

// Parse reads a configuration from memory; name stands for the file in errors.
func Parse(name string, data []byte) (*Config, error) {
	c := Default()
	d := decoder{file: name}
	root := d.parse(data)
	if root != nil {
		d.into(root, "", &c)
		c.validate(&d, root)
	}
	if len(d.mistakes) > 0 {
		return nil, errors.Join(d.sorted()...)
	}
	return &c, nil
}

// Stack finds a stack by name; "" finds the only one.
func (c *Config) Stack(name string) (Stack, error) {
	var names bytes.Buffer
	for _, s := range c.Stacks {
		if s.Name == name || name == "" && len(c.Stacks) == 1 {
			return s, nil
		}
		fmt.Fprintf(&names, " %s", s.Name)
	}
	if name == "" {
		return Stack{}, fmt.Errorf("several stacks are configured: name one with --stack:%s", names.String())
	}
	return Stack{}, fmt.Errorf("no stack %q is configured; there is:%s", name, names.String())
}

// rebase makes relative paths absolute, from the configuration's folder.
func (c *Config) rebase(dir string) {
	paths := []*string{&c.ControlSocket, &c.StateDir, &c.GCP.AccessTokenFile, &c.Prices}
	for i := range c.Stacks {
		s := &c.Stacks[i]
		paths = append(paths, &s.Git.Auth.TokenFile, &s.Git.Auth.SSHKeyFile, &s.Git.Auth.KnownHostsFile, &s.Kubernetes.Kubeconfig, &s.Secrets.AgeKeyFile, &s.Git.WebhookSecretFile)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
}
