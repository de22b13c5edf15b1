package desired

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// files reads a revision's tree: bounded, and without following symbolic links, which may lead out of it.
type files struct{ fs.FS }

var (
	errAbsent = errors.New("there is no such file")
	errLink   = errors.New("a symbolic link; links are not followed, as they may lead out of the repository")
)

// lstat describes the file itself. A link on the way to it is refused.
func (f files) lstat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("the path %q leads out of the repository", name)
	}
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		info, err := fs.Lstat(f.FS, name[:i])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, errAbsent
		case err != nil:
			return nil, fmt.Errorf("cannot be read: %w", err)
		case info.Mode()&fs.ModeSymlink != 0:
			return nil, errLink
		case i == len(name):
			return info, nil
		}
	}
	return nil, errAbsent
}

// read is the content of a file of at most maxFile bytes.
func (f files) read(name string) ([]byte, error) {
	info, err := f.lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	file, err := f.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("larger than %d KiB", maxFile>>10)
	}
	return data, nil
}

// kustomization is the path of the folder's kustomization file; "" if it has none.
func (f files) kustomization(folder string) string {
	for _, name := range kustomizationNames {
		file := strings.TrimPrefix(folder+"/"+name, "./")
		if info, err := f.lstat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

// kustomizationNames are the names that kustomize looks for.
var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}
