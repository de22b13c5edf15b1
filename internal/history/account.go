package history

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"recsysd.dev/recsysd/internal/spend"
)

// accountName is the file of what a stack has cost, in the stack's directory: apart from the passes, so that neither is lost with the other.
const accountName = "spent.json"

// Account is what the stack has cost so far, as it was saved last. A file that cannot be read is set aside and reported in the error, and the
// account begins anew.
func (s *Store) Account() (*spend.Account, error) {
	path := s.accountPath()
	a, err := readAccount(path)
	if err != nil { // for whatever reason: the next save would replace it
		aside := path + ".unreadable"
		return &spend.Account{}, errors.Join(fmt.Errorf("%w; it is set aside as %s, and what was spent is counted anew", err, aside), os.Rename(path, aside))
	}
	return a, nil
}

// SaveAccount writes the account, if there is anything new in it.
func (s *Store) SaveAccount(a *spend.Account) error {
	err := a.Save(func(b []byte) error { return replace(s.accountPath(), b) })
	if err != nil {
		return fmt.Errorf("what was spent: %w", err)
	}
	return nil
}

// Spent is the account of a stack that another process may be keeping: nothing on disk is changed. Where there is none, it is empty.
func Spent(dir, stack string) (*spend.Account, error) {
	return readAccount(filepath.Join(dir, stack, accountName))
}

func (s *Store) accountPath() string { return filepath.Join(filepath.Dir(s.path), accountName) }

func readAccount(path string) (*spend.Account, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return &spend.Account{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("what was spent: %w", err)
	}
	a, err := spend.Restore(b)
	if err != nil {
		return nil, unreadable{path, err}
	}
	return a, nil
}
