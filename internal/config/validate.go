package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// A stack's name becomes a label value in the cloud and in Kubernetes, a metric label and a folder.
var stackName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)

// validate notes what cannot be said by types alone. root is the file's tree, for positions.
func (c *Config) validate(d *decoder, root *yaml.Node) {
	complain := func(path, format string, args ...any) {
		d.mistake(nodeAt(root, path), path, format, args...)
	}
	if len(c.Stacks) == 0 {
		complain("stacks", "no stack is configured")
	}
	first := map[string]int{}
	for i, s := range c.Stacks {
		path := fmt.Sprintf("stacks[%d]", i)
		s.validate(func(key, format string, args ...any) { complain(path+"."+key, format, args...) })
		if j, twice := first[s.Name]; twice && s.Name != "" {
			complain(path+".name", "%q is stacks[%d] already; a stack's name is unique in a daemon, whatever its project", s.Name, j)
		} else {
			first[s.Name] = i
		}
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		complain("listen", "%q is not HOST:PORT", c.Listen)
	}
	if _, _, err := net.SplitHostPort(c.Webhook.Listen); c.Webhook.Listen != "" && err != nil {
		complain("webhook.listen", "%q is not HOST:PORT", c.Webhook.Listen)
	}
	for i, s := range c.Stacks {
		if s.Git.WebhookSecretFile != "" && c.Webhook.Listen == "" {
			complain(fmt.Sprintf("stacks[%d].git.webhookSecretFile", i), "is of no use without webhook.listen")
		}
	}
	if c.ControlSocket == "" {
		complain("controlSocket", "must not be empty")
	}
	if c.StateDir == "" {
		complain("stateDir", "must not be empty")
	}
	if c.Width < 1 {
		complain("width", "must be more than zero")
	}
	oneOf(complain, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(complain, "log.format", c.Log.Format, "auto", "text", "json")
	for i, m := range c.UndoManagers {
		if m == "" || m == "recsysd" {
			complain(fmt.Sprintf("undoManagers[%d]", i), "%q cannot be a hand's field manager", m)
		}
	}
	c.GCP.validate(complain)
}

func (s Stack) validate(complain func(key, format string, args ...any)) {
	if !stackName.MatchString(s.Name) {
		complain("name", "%q is not a stack's name; lower-case letters, digits and dashes, a letter first, at most 63", s.Name)
	}
	required := []struct{ key, value string }{
		{"project", s.Project}, {"git.url", s.Git.URL}, {"git.branch", s.Git.Branch}, {"git.path", s.Git.Path},
	}
	for _, r := range required {
		switch {
		case r.value == "":
			complain(r.key, "missing")
		case strings.ContainsFunc(r.value, unicode.IsControl):
			complain(r.key, "holds a control character")
		}
	}
	if strings.HasPrefix(s.Git.Path, "/") || slices.Contains(strings.Split(s.Git.Path, "/"), "..") {
		complain("git.path", "%q must be a path within the repository", s.Git.Path)
	}
	if u, err := url.Parse(s.Git.URL); err == nil && u.User != nil {
		if _, secret := u.User.Password(); secret {
			complain("git.url", "holds a password; put it in a file and name that as git.auth.tokenFile")
		}
	}
	if s.Git.Auth.TokenFile != "" && s.Git.Auth.SSHKeyFile != "" {
		complain("git.auth", "either tokenFile (https) or sshKeyFile (ssh), not both")
	}
	if strings.ContainsAny(s.Environment, `/\`) || strings.HasPrefix(s.Environment, ".") {
		complain("environment", "%q must be the name of a file in environments/, without its ending", s.Environment)
	}
	oneOf(complain, "mode", s.Mode, Apply, Observe)
	positive := []struct {
		key  string
		long bool
	}{
		{"interval", s.Interval > 0}, {"git.pollInterval", s.Git.PollInterval > 0}, {"stepTimeout", s.StepTimeout > 0},
		{"width", s.Width > 0}, {"secrets.refresh", s.Secrets.Refresh > 0}, {"git.maxBytes", s.Git.MaxBytes > 0}, {"imageUpdates.interval", s.ImageUpdates.Interval > 0},
	}
	for _, p := range positive {
		if !p.long {
			complain(p.key, "must be more than zero")
		}
	}
	s.ImageUpdates.validate(complain)
	if s.MinGap < 0 {
		complain("minGap", "must not be negative")
	}
	if s.MaxDeletes < 0 {
		complain("maxDeletes", "must not be negative")
	}
	if s.Kubernetes.Context != "" && s.Kubernetes.Kubeconfig == "" {
		complain("kubernetes.context", "is of no use without kubernetes.kubeconfig")
	}
}

// validate refuses what could not stand in a commit, or be pushed to.
func (u ImageUpdates) validate(complain func(key, format string, args ...any)) {
	for _, t := range []struct{ key, value string }{{"name", u.Author.Name}, {"email", u.Author.Email}} {
		if t.value == "" || strings.ContainsAny(t.value, "<>") || strings.ContainsFunc(t.value, unicode.IsControl) {
			complain("imageUpdates.author."+t.key, "%q cannot stand on a commit", t.value)
		}
	}
	if u.Push != "" && !branchName(u.Push) {
		complain("imageUpdates.push", "%q is not the name of a branch", u.Push)
	}
}

// branchName is Git's own rule for the names of branches.
func branchName(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !strings.HasPrefix(name, "-") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "..") && !strings.Contains(name, "@{") &&
		name != "@" && !strings.ContainsAny(name, " ~^:?*[\\") && !strings.ContainsFunc(name, unicode.IsControl)
}

// validate keeps credentials off the wire in plain text: only this machine may be spoken to without TLS.
func (g GCP) validate(complain func(path, format string, args ...any)) {
	for service, address := range g.Endpoints.Map() {
		host := address
		u, err := url.Parse(address)
		isURL := err == nil && u.Host != ""
		if isURL {
			host = u.Host
		}
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			name = host
		}
		path := "gcp.endpoints." + service
		plain := g.Insecure && !(isURL && u.Scheme == "https")
		switch {
		case isURL && u.Scheme != "http" && u.Scheme != "https":
			complain(path, "%q is neither http(s):// nor HOST:PORT", address)
		case !isURL && err != nil:
			complain(path, "%q is neither a URL nor HOST:PORT", address)
		case isURL && u.Scheme == "http" && !g.Insecure:
			complain(path, "%q is plain text; say gcp.insecure: true if it is an emulator on this machine", address)
		case plain && !loopback(name):
			complain(path, "%q would be spoken to in plain text; that is allowed for loopback addresses only", address)
		}
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func oneOf(complain func(key, format string, args ...any), key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		complain(key, "%q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

// nodeAt finds the node at a path such as stacks[1].git.url, or the deepest one on the way to it.
func nodeAt(n *yaml.Node, path string) *yaml.Node {
	for _, key := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := child(n, key)
		if next == nil {
			break
		}
		n = next
	}
	return n
}

func child(n *yaml.Node, key string) *yaml.Node {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if fmt.Sprint(i) == key {
				return item
			}
		}
	}
	return nil
}
