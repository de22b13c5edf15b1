// Package kubetest runs a real Kubernetes control plane on loopback for tests: etcd and kube-apiserver and, if asked, the
// controller manager, the scheduler and kwok, which plays nodes, pods and volumes. Everything is built from the Go module in
// test/kube, once, and kept in the user's cache.
package kubetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

const kubeVersion = "v1.37.2" // of k8s.io/kubernetes in test/kube/go.mod; stamped, because clients parse it

// Binary returns the path of the control plane's binary, and builds it first where the cache lacks it. A cold build takes
// 5 to 10 minutes on two cores and 4 GB of build cache; its progress goes to log.
func Binary(ctx context.Context, log io.Writer) (string, error) {
	module, err := moduleDir()
	if err != nil {
		return "", err
	}
	key, err := cacheKey(module)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "recsysd-test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	binary := filepath.Join(dir, "kubeenv-"+key)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	fmt.Fprintf(log, "building the Kubernetes %s control plane for the tests (once; 5 to 10 minutes)\n", kubeVersion)
	stamp := fmt.Sprintf("-s -w -X k8s.io/component-base/version.gitVersion=%s -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37", kubeVersion)
	cmd := exec.CommandContext(ctx, "go", "build", "-C", module, "-trimpath", "-ldflags", stamp, "-o", binary+".new", ".")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building %s: %w", module, err)
	}
	return binary, os.Rename(binary+".new", binary)
}

// moduleDir finds test/kube from any folder of the checkout.
func moduleDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		module := filepath.Join(dir, "test", "kube")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("kubetest: no test/kube/go.mod above the working directory")
		}
		dir = parent
	}
}

// cacheKey changes with the module's source, its requirements and the Go version.
func cacheKey(module string) (string, error) {
	h := sha256.New()
	io.WriteString(h, runtime.Version()+runtime.GOARCH+kubeVersion)
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		b, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

// lock waits until no other test process builds.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
