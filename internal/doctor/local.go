package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"recsysd.dev/recsysd/internal/resource"
)

// Folder checks that files can be made in a folder, by making one.
func Folder(name, path string) Check {
	return Check{name, func(context.Context) Finding {
		f, err := os.CreateTemp(path, ".recsysd-doctor-")
		switch {
		case errors.Is(err, os.ErrNotExist):
			return Wrong("install -d -m 750 "+quote(path), "%s does not exist", path)
		case errors.Is(err, os.ErrPermission):
			return Wrong("chown recsysd: "+quote(path)+"   # or run this as the daemon's user", "%s cannot be written by this user", path)
		case err != nil:
			return Wrong("df "+quote(path), "%s: %v", path, err)
		}
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return Wrong("df "+quote(path), "%s: %v", path, err)
		}
		return Well("%s", path)
	}}
}

// Socket checks the place of the control socket: its folder.
func Socket(path string) Check {
	c := Folder("control socket", filepath.Dir(path))
	if _, err := os.Stat(path); err == nil {
		c.Look = func(context.Context) Finding { return Well("%s is there: a daemon has it, or had", path) }
	}
	return c
}

func isUnavailable(err error) bool { return errors.Is(err, resource.ErrUnavailable) }
