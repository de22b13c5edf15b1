package sealed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
)

// Bounds: a Secret holds 1 MiB, and a key file is a few lines.
const (
	maxPlain = 1 << 20
	maxKeys  = 64 << 10
)

// Keys open files. The zero value opens none.
type Keys struct{ identities []age.Identity }

// ErrNoKey is the error of opening a file without any key.
var ErrNoKey = errors.New("no key was given to open it with")

// ReadKeys reads a key file: age's own, of one AGE-SECRET-KEY per line, or an ssh private key without a passphrase. One that others
// than its owner and group can read, or that others than its owner can write, is refused.
func ReadKeys(path string) (Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return Keys{}, fmt.Errorf("the key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Keys{}, fmt.Errorf("the key file: %w", err)
	}
	if mode := info.Mode(); !mode.IsRegular() {
		return Keys{}, fmt.Errorf("the key file %s is not a file", path)
	} else if mode.Perm()&0o027 != 0 {
		return Keys{}, fmt.Errorf("the key file %s has mode %04o, so others can read it; chmod 600", path, mode.Perm())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	if err != nil {
		return Keys{}, fmt.Errorf("the key file: %w", err)
	}
	keys, err := ParseKeys(data)
	if err != nil {
		return Keys{}, fmt.Errorf("the key file %s: %w", path, err)
	}
	return keys, nil
}

// ParseKeys is ReadKeys from memory. Its errors tell nothing of the keys.
func ParseKeys(data []byte) (Keys, error) {
	switch {
	case len(data) > maxKeys:
		return Keys{}, errors.New("too large for a key file")
	case isBlank(data):
		return Keys{}, errors.New("empty")
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN")) {
		id, err := agessh.ParseIdentity(data)
		if err != nil {
			return Keys{}, errors.New("not an ssh private key of type ed25519 or rsa without a passphrase")
		}
		return Keys{[]age.Identity{id}}, nil
	}
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return Keys{}, errors.New("not a key file of age (lines of AGE-SECRET-KEY-…), nor an ssh private key")
	}
	return Keys{ids}, nil
}

const ageIntro = "age-encryption.org/"

// isAge recognizes both forms of age's files.
func isAge(data []byte) bool {
	return bytes.HasPrefix(data, []byte(ageIntro)) || armored(data)
}

func armored(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(armor.Header))
}

var (
	errWrongKey = errors.New("it was not encrypted for the given key")
	errDamaged  = errors.New("it is damaged: what age encrypted has been changed or cut off")
)

// openAge decrypts what age encrypted, armored or not.
func openAge(data []byte, keys Keys) ([]byte, error) {
	var in io.Reader = bytes.NewReader(data)
	if armored(data) {
		in = armor.NewReader(bytes.NewReader(data))
	}
	out, err := age.Decrypt(in, keys.identities...)
	if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
		return nil, errWrongKey
	}
	if err != nil {
		return nil, errDamaged
	}
	plain, err := io.ReadAll(io.LimitReader(out, maxPlain+1))
	if err != nil {
		return nil, errDamaged
	}
	if len(plain) > maxPlain {
		return nil, fmt.Errorf("more than %d KiB are encrypted in it; a Secret cannot hold that", maxPlain>>10)
	}
	return plain, nil
}
