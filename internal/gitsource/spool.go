package gitsource

import (
	"errors"
	"io"
	"os"
)

// syncDir makes renames in a directory survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// spool receives bytes into a new file of a directory, up to a bound.
type spool struct {
	dir string
	max int64
}

// receive leaves no file behind if it fails.
func (s spool) receive(fill func(io.Writer) error) (*os.File, error) {
	file, err := os.CreateTemp(s.dir, partName)
	if err != nil {
		return nil, err
	}
	if err := fill(&boundedWriter{file, s.max, s.max}); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return file, nil
}

// boundedWriter refuses what exceeds its bound while it streams, before it is on disk.
type boundedWriter struct {
	to        io.Writer
	left, max int64
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		return 0, errPackTooLarge(b.max)
	}
	b.left -= int64(len(p))
	return b.to.Write(p)
}
