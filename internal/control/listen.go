package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// ErrHeld says that another process works on the same stacks: a daemon, or an apply or a destroy.
var ErrHeld = errors.New("another recsysd holds the control socket")

// maxPath is the longest path that the kernel accepts for a socket (sun_path of unix(7), less its closing zero).
const maxPath = 107

// Lock is the right to act on the stacks of one control socket. It ends with the process at the latest, however that ends.
type Lock struct {
	path string // of the socket
	file *os.File
}

// Hold takes the lock beside the socket at path, or fails with ErrHeld. The folder is made if it is missing; the file that is
// left behind means nothing by itself.
func Hold(path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o660)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w %s", ErrHeld, path)
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return &Lock{path, f}, nil
}

// Release gives the lock back. Whoever listens closes the listener first.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("release the control socket's lock: %w", err)
	}
	return nil
}

// Listen makes the socket, mode 0660. One that a killed daemon left behind is replaced; closing the listener removes it.
func (l *Lock) Listen() (net.Listener, error) {
	if len(l.path) > maxPath {
		return nil, fmt.Errorf("control socket %s: the path is longer than the %d bytes that a socket's may have", l.path, maxPath)
	}
	s, err := listen(l.path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return &listener{Listener: s, path: l.path}, nil
}

// listen makes the socket under another name and moves it to its own once its mode is right, so nobody meets it half made.
func listen(path string) (net.Listener, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s") // only we may enter
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	if len(made) > maxPath {
		return nil, fmt.Errorf("%s: the folder's path is too long for a socket", filepath.Dir(path))
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(made, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := os.Rename(made, path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

type listener struct {
	net.Listener
	path string
	once sync.Once
	err  error
}

// Close removes the socket.
func (l *listener) Close() error {
	l.once.Do(func() {
		err := os.Remove(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		l.err = errors.Join(l.Listener.Close(), err)
	})
	return l.err
}
