package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must be left alone before it is read: editors and tools write in several strokes.
const settle = 100 * time.Millisecond

// Watch calls changed, one call at a time, whenever the content of the file at path has become another: written in place, replaced by
// a rename, or reached through symbolic links of which one now leads elsewhere, as Kubernetes mounts its volumes. The first
// call comes as soon as the watch stands, so nothing is missed since the file was last read. It returns nil when ctx is done.
func Watch(ctx context.Context, path string, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	defer w.Close()
	// Folders are watched, not the file: a file that is replaced takes its watch with it.
	watched := map[string]bool{}
	watch := func() error {
		for _, dir := range folders(path) {
			if watched[dir] {
				continue
			}
			if err := w.Add(dir); err != nil {
				return fmt.Errorf("watch %s: %w", dir, err)
			}
			watched[dir] = true
		}
		return nil
	}
	if err := watch(); err != nil {
		return err
	}
	quiet := time.NewTimer(settle)
	defer quiet.Stop()
	seen := digest(path)
	changed()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return nil
			}
			if e.Has(fsnotify.Remove) {
				delete(watched, e.Name) // a folder that went took its watch along
			}
			quiet.Reset(settle)
		case err, ok := <-w.Errors:
			if !ok {
				return nil
			}
			return fmt.Errorf("watch the configuration: %w", err)
		case <-quiet.C:
			if err := watch(); err != nil && ctx.Err() == nil {
				continue // the folder is being replaced; its parent tells of the new one
			}
			if now := digest(path); now != seen {
				seen = now
				changed()
			}
		}
	}
}

// folders are those in which the file and every link on the way to it lie.
func folders(path string) []string {
	var dirs []string
	for range 16 { // more links in a row than any mount uses
		dirs = append(dirs, filepath.Dir(path))
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return dirs
}

// digest tells contents apart; a file that cannot be read is one more content.
func digest(path string) [sha256.Size]byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(data)
}
