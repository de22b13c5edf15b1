package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/control"
	"recsysd.dev/recsysd/internal/drivers"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/sim"
)

// demoDelays make the simulated cloud slow enough to be watched.
var demoDelays = map[string]sim.Delay{
	"cluster":               {Create: 400 * time.Millisecond},
	"bucket":                {Create: 100 * time.Millisecond},
	"registry":              {Create: 200 * time.Millisecond},
	"Deployment":            {Start: 150 * time.Millisecond},
	"StatefulSet":           {Start: 200 * time.Millisecond},
	"PersistentVolumeClaim": {Create: 50 * time.Millisecond},
}

const demoListen = "127.0.0.1:9465"

func demoDir() string { return filepath.Join(os.TempDir(), "recsysd-demo") }

func (p *program) demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "demo", Short: "Try it: a Git repository, a simulated cloud and the daemon, all on this machine", Args: known,
		Long: "Try it: a Git repository, a simulated cloud and the daemon, all on this machine.\n\n" +
			"The simulated cloud keeps what it is given and answers late. It has no tags of images, gives no addresses, runs no pods and refuses\n" +
			"nothing that Google or Kubernetes would.",
	}
	var dir, listen string
	c.PersistentFlags().StringVar(&dir, "dir", demoDir(), "where the repository and the daemon's state are")
	c.Flags().StringVar(&listen, "listen", demoListen, "address of the metrics")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if _, _, err := net.SplitHostPort(listen); err != nil {
			return fmt.Errorf("--listen %s: must be HOST:PORT", listen)
		}
		if !c.Flags().Changed("listen") && busy(listen) {
			listen = "127.0.0.1:0"
		}
		return p.demo(c.Context(), dir, listen)
	}
	c.AddCommand(
		&cobra.Command{
			Use: "drift", Short: "Put a foreign hand into the running demo's cloud", Args: arguments(0, 0),
			RunE: func(c *cobra.Command, _ []string) error {
				var done string
				client := control.Client{Socket: filepath.Join(dir, "control.sock")}
				if err := client.Call(c.Context(), http.MethodPost, "/v1/demo/drift", "", nil, &done); err != nil {
					return err
				}
				_, err := fmt.Fprintln(p.out, done)
				return err
			},
		},
		&cobra.Command{
			Use: "commit", Short: "Commit what was edited in the demo's repository, where there is no git program", Args: arguments(0, 0),
			RunE: func(*cobra.Command, []string) error {
				hash, err := demoCommit(filepath.Join(dir, "infra"), "Edited")
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(p.out, hash)
				return err
			},
		},
	)
	return c
}

// busy reports whether somebody else listens there.
func busy(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	l.Close()
	return false
}

// demo is the daemon as it always is, on a simulated cloud and a repository of its own.
func (p *program) demo(ctx context.Context, dir, listen string) error {
	if err := demoClaim(dir); err != nil {
		return err
	}
	lock, err := control.Hold(filepath.Join(dir, "control.sock"))
	if errors.Is(err, control.ErrHeld) {
		return fmt.Errorf("a demo is running in %s already", dir)
	}
	if err != nil {
		return err
	}
	err = p.demoLocked(ctx, lock, dir, listen)
	return errors.Join(err, lock.Release())
}

func (p *program) demoLocked(ctx context.Context, lock *control.Lock, dir, listen string) error {
	start := time.Now()
	file, conf, err := demoSetup(dir, listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "recsysd demo in %s: a Git repository, a simulated cloud, and the daemon between them\n", dir)
	cloud := &sim.Cloud{Delays: demoDelays}
	world := func(_ context.Context, _ *config.Config, s config.Stack, _ hooks) (drivers.Set, error) {
		return drivers.Set{Kinds: drivers.Simulated(cloud, s.Name, s.Project)}, nil
	}
	d := newDaemon(file, world, newLogger(p.err, conf.Log))
	control.Handle(d.orders, "POST /v1/demo/drift", (&hand{cloud: cloud}).move)
	var once sync.Once
	d.passed = func(pass reconcile.Pass) {
		if pass.Converged() {
			once.Do(func() {
				fmt.Fprintf(p.out, "converged in %.1f s\n\n%s", time.Since(start).Seconds(), demoHelp(dir, d.address))
			})
		}
	}
	return d.run(ctx, lock, conf, func() {})
}

func demoHelp(dir, address string) string {
	self := "recsysd"
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		self = "go run ./cmd/recsysd"
	}
	at := ""
	if dir != demoDir() {
		at = " --dir " + dir
	}
	return fmt.Sprintf(`Now, in another terminal:

  %[1]s status --socket %[2]s/control.sock
  $EDITOR %[2]s/infra/stack.yaml          such as replicas: 2
  git -C %[2]s/infra commit -am 'Change'  or, without git: %[1]s demo commit%[4]s
  %[1]s history --socket %[2]s/control.sock
  %[1]s demo drift%[4]s                   a foreign hand changes the cloud; watch it being put back
  http://%[3]s/metrics

Stop it with Ctrl-C.

`, self, dir, address, at)
}
