package kubetest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// process is one component, running.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
}

// run starts a component of the multi-call binary; its output goes to a log file in the cluster's directory. It dies with the tests.
func (c *Cluster) run(binary, name string, args ...string) error {
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(binary, append([]string{name}, args...)...)
	cmd.Args[0] = "kubeenv"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() { cmd.Wait(); close(p.done) }()
	c.processes = append(c.processes, p)
	return nil
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

func (p *process) pause() (resume func(), err error) {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return nil, err
	}
	return func() { p.cmd.Process.Signal(syscall.SIGCONT) }, nil
}

func (c *Cluster) startStore(ctx context.Context, binary string, port, peer int) error {
	client, peers := fmt.Sprintf("http://127.0.0.1:%d", port), fmt.Sprintf("http://127.0.0.1:%d", peer)
	err := c.run(binary, "etcd", "--data-dir", filepath.Join(c.dir, "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers,
		"--unsafe-no-fsync", "--heartbeat-interval", "20", "--election-timeout", "200", "--log-level", "warn")
	if err != nil {
		return err
	}
	return c.answers(ctx, client+"/health") // an API server that starts before its store sits out a back-off
}

func (c *Cluster) startServer(ctx context.Context, binary string, port, store int, full bool) error {
	file := func(name string) string { return filepath.Join(c.dir, name) }
	args := []string{"--etcd-servers", fmt.Sprintf("http://127.0.0.1:%d", store), "--bind-address", "127.0.0.1",
		"--secure-port", fmt.Sprint(port), "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none",
		"--service-cluster-ip-range", "10.96.0.0/16", "--allow-privileged", "--tls-cert-file", file("srv.crt"),
		"--tls-private-key-file", file("srv.key"), "--client-ca-file", file("ca.crt"), "--token-auth-file", file("tokens.csv"),
		"--authorization-mode", "RBAC", "--kubelet-preferred-address-types", "InternalIP",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", file("sa.pub"),
		"--service-account-signing-key-file", file("sa.key"), "--audit-policy-file", file("audit.yaml"),
		"--audit-log-path", file("audit.log"), "--audit-log-mode", "blocking"}
	if !full { // nothing would make the default ServiceAccount that the plugin asks for
		args = append(args, "--disable-admission-plugins=ServiceAccount")
	}
	if err := c.run(binary, "kube-apiserver", args...); err != nil {
		return err
	}
	return c.answers(ctx, "https://"+c.Endpoint+"/readyz")
}

func (c *Cluster) startControllers(ctx context.Context, binary string, kubelet int) error {
	admin, err := c.Kubeconfig(Admin)
	if err != nil {
		return err
	}
	scheduler, err := c.Kubeconfig("system:kube-scheduler")
	if err != nil {
		return err
	}
	fast := []string{"--leader-elect=false", "--secure-port=0", "--kube-api-qps", "500", "--kube-api-burst", "500"}
	manager := append([]string{"--kubeconfig", admin, "--service-account-private-key-file", filepath.Join(c.dir, "sa.key"),
		"--root-ca-file", filepath.Join(c.dir, "ca.crt"), "--use-service-account-credentials=false"}, fast...)
	if err := c.run(binary, "kube-controller-manager", manager...); err != nil {
		return err
	}
	if err := c.run(binary, "kube-scheduler", append([]string{"--kubeconfig", scheduler}, fast...)...); err != nil {
		return err
	}
	err = c.run(binary, "kwok", "--config", filepath.Join(c.dir, "kwok.yaml"), "--kubeconfig", admin, "--manage-all-nodes",
		"--node-lease-duration-seconds", "40", "--node-ip", "127.0.0.1", "--node-port", fmt.Sprint(kubelet),
		"--server-address", fmt.Sprintf("127.0.0.1:%d", kubelet))
	if err != nil {
		return err
	}
	return c.furnish(ctx)
}

// furnish applies nodes and storage classes and waits until pods can be placed.
func (c *Cluster) furnish(ctx context.Context) error {
	client, err := dynamic.NewForConfig(c.Config(Admin))
	if err != nil {
		return err
	}
	b, err := conf.ReadFile("conf/cluster.yaml")
	if err != nil {
		return err
	}
	resources := map[string]schema.GroupVersionResource{
		"Node":         {Version: "v1", Resource: "nodes"},
		"StorageClass": {Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"},
	}
	for _, doc := range strings.Split(string(b), "\n---\n") {
		var u unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			return err
		}
		data, err := u.MarshalJSON()
		if err != nil {
			return err
		}
		force := true
		_, err = client.Resource(resources[u.GetKind()]).Patch(ctx, u.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "kubetest", Force: &force})
		if err != nil {
			return err
		}
	}
	return poll(ctx, "nodes and default service account", func() bool {
		for _, name := range []string{"kwok-node-0", "kwok-node-1"} {
			node, err := client.Resource(resources["Node"]).Get(ctx, name, metav1.GetOptions{})
			if err != nil || len(unscheduled(node)) > 0 {
				return false
			}
		}
		accounts := schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
		_, err := client.Resource(accounts).Namespace("default").Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

func unscheduled(node *unstructured.Unstructured) []any {
	taints, _, _ := unstructured.NestedSlice(node.Object, "spec", "taints")
	return taints
}

// answers waits until url says 200.
func (c *Cluster) answers(ctx context.Context, url string) error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // our own process, just started
	return poll(ctx, url, func() bool {
		resp, err := client.Get(url)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func poll(ctx context.Context, what string, ok func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// lastLog is the end of the last started component's log, for an error.
func (c *Cluster) lastLog() string {
	if len(c.processes) == 0 {
		return ""
	}
	b, err := os.ReadFile(filepath.Join(c.dir, c.processes[len(c.processes)-1].name+".log"))
	if err != nil {
		return ""
	}
	return "\n" + string(b[max(0, len(b)-2000):])
}
