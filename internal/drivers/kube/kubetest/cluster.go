package kubetest

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

//go:embed conf
var conf embed.FS

// Users of the API server. Admin is the tests' own hand, and the controllers'; Recsysd and Recsysd2 are two daemons with every
// right; Limited has none but those that a test gives to the user of that name.
const (
	Admin    = "admin"
	Recsysd  = "recsysd"
	Recsysd2 = "recsysd-2"
	Limited  = "limited"
)

// Options say how much of a control plane is started.
type Options struct {
	// Full adds controller manager, scheduler, kwok, two nodes and storage classes, so that pods run and claims bind.
	// A pod annotated or labelled kubetest.recsysd.dev/fail: REASON never becomes ready.
	Full bool
	// Log receives the build's and the boot's progress; nil: standard error.
	Log io.Writer
}

// Cluster is a running control plane.
type Cluster struct {
	Endpoint string // host:port, as GKE reports it: without scheme
	CA       []byte // PEM

	dir       string
	authority *authority
	tokens    map[string]string
	processes []*process // in the order of their start
}

// Start runs a control plane for the test's length. What is missing fails the test.
func Start(tb testing.TB, o Options) *Cluster {
	tb.Helper()
	c, err := Boot(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Stop)
	return c
}

// Boot starts a control plane and waits until it is ready. The caller stops it.
func Boot(ctx context.Context, o Options) (*Cluster, error) {
	if o.Log == nil {
		o.Log = os.Stderr
	}
	binary, err := Binary(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kubetest-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, tokens: map[string]string{}}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := c.boot(ctx, binary, o); err != nil {
		logs := c.lastLog()
		c.Stop()
		return nil, fmt.Errorf("starting the control plane: %w%s", err, logs)
	}
	return c, nil
}

func (c *Cluster) boot(ctx context.Context, binary string, o Options) error {
	var err error
	if c.authority, err = newAuthority(c.dir); err != nil {
		return err
	}
	c.CA = c.authority.pem
	if err := c.writeFiles(); err != nil {
		return err
	}
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	c.Endpoint = fmt.Sprintf("127.0.0.1:%d", ports[0])
	if err := c.startStore(ctx, binary, ports[1], ports[2]); err != nil {
		return err
	}
	if err := c.startServer(ctx, binary, ports[0], ports[1], o.Full); err != nil {
		return err
	}
	if !o.Full {
		return nil
	}
	return c.startControllers(ctx, binary, ports[3])
}

// Config reaches the API server as user, without client-side rate limit.
func (c *Cluster) Config(user string) *rest.Config {
	return &rest.Config{
		Host: "https://" + c.Endpoint, BearerToken: c.tokens[user], QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.CA},
	}
}

// Token is the bearer token of user.
func (c *Cluster) Token(user string) string { return c.tokens[user] }

// Kubeconfig returns the path of a kubeconfig file for user; its context is called kubetest.
func (c *Cluster) Kubeconfig(user string) (string, error) {
	path := filepath.Join(c.dir, user+".kubeconfig")
	k := clientcmdapi.NewConfig()
	k.Clusters["kubetest"] = &clientcmdapi.Cluster{Server: "https://" + c.Endpoint, CertificateAuthorityData: c.CA}
	k.AuthInfos["kubetest"] = &clientcmdapi.AuthInfo{Token: c.tokens[user]}
	k.Contexts["kubetest"] = &clientcmdapi.Context{Cluster: "kubetest", AuthInfo: "kubetest"}
	k.CurrentContext = "kubetest"
	return path, clientcmd.WriteToFile(*k, path)
}

// Stop ends every process and removes all data.
func (c *Cluster) Stop() {
	for i := len(c.processes) - 1; i >= 0; i-- { // the API server hangs if etcd goes first
		c.processes[i].kill()
	}
	os.RemoveAll(c.dir)
}

// Pause stops the API server from answering until resume is called: connections hang, as they do when a network is cut.
func (c *Cluster) Pause() (resume func(), err error) {
	for _, p := range c.processes {
		if p.name == "kube-apiserver" {
			return p.pause()
		}
	}
	return nil, errors.New("no API server runs")
}

// writeFiles writes certificates, tokens and the embedded configuration.
func (c *Cluster) writeFiles() error {
	cert, key, err := c.authority.serve("kube-apiserver")
	if err != nil {
		return err
	}
	if err := errors.Join(c.authority.write("srv.crt", cert), c.authority.write("srv.key", key)); err != nil {
		return err
	}
	var csv strings.Builder
	for _, user := range []string{Admin, Recsysd, Recsysd2, Limited, "system:kube-scheduler"} {
		secret := make([]byte, 16)
		rand.Read(secret)
		c.tokens[user] = hex.EncodeToString(secret)
		group := ""
		if user == Admin || user == Recsysd || user == Recsysd2 {
			group = "system:masters"
		}
		fmt.Fprintf(&csv, "%s,%s,%s,%q\n", c.tokens[user], user, user, group)
	}
	if err := c.authority.write("tokens.csv", []byte(csv.String())); err != nil {
		return err
	}
	for _, name := range []string{"audit.yaml", "kwok.yaml"} {
		b, err := conf.ReadFile("conf/" + name)
		if err != nil {
			return err
		}
		if err := c.authority.write(name, b); err != nil {
			return err
		}
	}
	return nil
}

// freePorts finds loopback ports that nothing listens on at the moment.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
