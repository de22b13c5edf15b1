// Package e2e_test runs the built binary against all real parts at once: Git over http, Google's services spoken to through
// Google's own client libraries, and a real Kubernetes control plane reached through the endpoint and the certificate that
// the cluster reports.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// What all tests share: the program and a control plane. Each test has its own stack, project, repository and daemon.
var (
	binary string
	kube   *kubetest.Cluster
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "recsysd-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "recsysd")
	build := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace,disable_grpc_modules", "-ldflags", "-s -w", "-o", binary, "../../cmd/recsysd") // as it is released
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building recsysd:", err)
		return 1
	}
	if kube, err = kubetest.Boot(context.Background(), kubetest.Options{Full: true}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer kube.Stop()
	return m.Run()
}
