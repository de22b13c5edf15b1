package config

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// watching starts a watch and returns a function that waits for the next call of changed.
func watching(t *testing.T, path string) (next func(reason string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	calls, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Watch(ctx, path, func() {
			select {
			case calls <- struct{}{}:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("a watch that is stopped ends well: %v", err)
		}
	})
	return func(reason string) {
		t.Helper()
		select {
		case <-calls:
		case err := <-done:
			t.Fatalf("%s: the watch ended: %v", reason, err)
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: nobody was told", reason)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatchSeesEveryWayAFileChanges(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	write(t, path, "one")
	next := watching(t, path)
	next("the watch stands")

	write(t, path, "two")
	next("written in place")

	write(t, path+".new", "three")
	must(t, os.Rename(path+".new", path))
	next("replaced by a rename")

	write(t, path, "four")
	next("written in place after it was replaced")

	must(t, os.Remove(path))
	next("removed: the daemon has to say so")

	write(t, path, "five")
	next("back again")
}

func TestWatchFollowsMountedVolumes(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..1", "config.yaml"), "one")
	must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	must(t, os.Symlink(filepath.Join("..data", "config.yaml"), filepath.Join(dir, "config.yaml")))
	next := watching(t, filepath.Join(dir, "config.yaml"))
	next("the watch stands")

	for _, version := range []string{"..2", "..3"} { // twice: the watch must move along with the link
		write(t, filepath.Join(dir, version, "config.yaml"), version)
		must(t, os.Symlink(version, filepath.Join(dir, "..tmp")))
		must(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
		next("the link in the middle leads to " + version + " now")
	}
}
