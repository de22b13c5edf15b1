package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The SOPS format, as far as it concerns files for age's keys: every value is encrypted by itself under one data key, which stands
// in the file encrypted for each recipient. The path of a value is authenticated with it, and a MAC over all values keeps them from
// being removed, or moved between files.

// binaryKey is the one key of a file that SOPS encrypted as a whole.
const binaryKey = "data"

// macOnlyEncrypted begins the MAC of files with the option of that name: SHA-256 of "sops".
var macOnlyEncrypted = []byte{
	0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
	0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
}

// openSOPS decrypts the values of a SOPS file and verifies its MAC.
func openSOPS(tree *node, keys Keys, key string) (map[string][]byte, error) {
	meta := tree.get("sops")
	if err := supported(meta); err != nil {
		return nil, err
	}
	if err := flat(tree, key); err != nil {
		return nil, err
	}
	block, err := dataKey(meta, keys)
	if err != nil {
		return nil, err
	}
	values, err := block.values(tree, meta)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return values, nil
	}
	return map[string][]byte{key: values[binaryKey]}, nil
}

// supported refuses what this reader does not read.
func supported(meta *node) error {
	switch {
	case meta.kind != mapping:
		return Mistakes{meta.mistake("sops: not what SOPS writes")}
	case meta.get("key_groups") != nil:
		return Mistakes{meta.get("key_groups").mistake("sops.key_groups: keys that are shared among groups are not supported; use one group of age recipients")}
	case meta.get("age") == nil || meta.get("age").kind != list || len(meta.get("age").items) == 0:
		return Mistakes{meta.mistake("sops: the file has no age recipient; only age's keys are supported")}
	}
	return nil
}

// flat demands keys with encrypted texts, and nothing else.
func flat(tree *node, key string) error {
	var wrong Mistakes
	count := 0
	for _, f := range tree.fields {
		if f.key == "sops" {
			continue
		}
		count++
		text, what := f.value.single()
		switch {
		case what != "":
			wrong = append(wrong, f.value.mistake("%q %s", f.key, what))
		case text != "" && !strings.HasPrefix(text, encPrefix):
			wrong = append(wrong, f.value.mistake("%q is not encrypted", f.key))
		case key != "" && f.key != binaryKey:
			wrong = append(wrong, f.value.mistake("%q: the file has keys of its own, so leave key out; a single value is what sops --input-type binary encrypts", f.key))
		}
	}
	if count == 0 {
		wrong = append(wrong, tree.mistake("there is no value in it"))
	}
	return wrong.err()
}

// dataKey finds the recipient that one of the keys belongs to.
func dataKey(meta *node, keys Keys) (*sopsBlock, error) {
	for _, recipient := range meta.get("age").items {
		enc := recipient.get("enc")
		if enc == nil || !isAge([]byte(enc.text)) {
			return nil, Mistakes{recipient.mistake("sops.age: not what SOPS writes")}
		}
		key, err := openAge([]byte(enc.text), keys)
		if errors.Is(err, errWrongKey) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(key) != 32 {
			return nil, errDamagedSOPS
		}
		b, err := aes.NewCipher(key)
		if err != nil {
			return nil, errDamagedSOPS
		}
		return &sopsBlock{b}, nil
	}
	return nil, errWrongKey
}

var errDamagedSOPS = errors.New("it is damaged: what SOPS encrypted has been changed since; edit it with sops")

// sopsBlock decrypts with the data key of one file.
type sopsBlock struct{ cipher.Block }

// values decrypts every value of a flat tree, in its order, and compares the MAC.
func (b *sopsBlock) values(tree, meta *node) (map[string][]byte, error) {
	values := map[string][]byte{}
	mac := sha512.New()
	if only := meta.get("mac_only_encrypted"); only != nil && only.text == "true" {
		mac.Write(macOnlyEncrypted)
	}
	for _, f := range tree.fields {
		if f.key == "sops" {
			continue
		}
		plain, err := b.value(f, mac)
		if err != nil {
			return nil, Mistakes{f.value.mistake("%q: %v", f.key, err)}
		}
		values[f.key] = plain
	}
	return values, b.verify(meta, mac)
}

// value decrypts one value and adds it to the MAC. SOPS leaves an empty text as it is.
func (b *sopsBlock) value(f field, mac hash.Hash) ([]byte, error) {
	if f.value.text == "" {
		return []byte{}, nil
	}
	plain, kind, err := b.open(f.value.text, f.key+":")
	if err != nil {
		return nil, err
	}
	mac.Write(plain)
	if kind == "bool" {
		plain = []byte(strings.ToLower(string(plain))) // SOPS writes True and False
	}
	return plain, nil
}

// verify compares the MAC, which is encrypted together with the time of the last change.
func (b *sopsBlock) verify(meta *node, mac hash.Hash) error {
	stored, when := meta.get("mac"), meta.get("lastmodified")
	if stored == nil || when == nil {
		return Mistakes{meta.mistake("sops: without a MAC; not what SOPS writes")}
	}
	at, err := time.Parse(time.RFC3339, when.text)
	if err != nil {
		return Mistakes{when.mistake("sops.lastmodified: not a time")}
	}
	want, _, err := b.open(stored.text, at.Format(time.RFC3339))
	if err != nil {
		return Mistakes{stored.mistake("sops.mac: %v", err)}
	}
	if subtle.ConstantTimeCompare(want, fmt.Appendf(nil, "%X", mac.Sum(nil))) != 1 {
		return errDamagedSOPS
	}
	return nil
}

const encPrefix = "ENC["

var encrypted = regexp.MustCompile(`^ENC\[AES256_GCM,data:([A-Za-z0-9+/=]*),iv:([A-Za-z0-9+/=]+),tag:([A-Za-z0-9+/=]+),type:([a-z]+)\]$`)

// kinds are the types of values that SOPS knows and a Secret can hold.
var kinds = []string{"str", "int", "float", "bool", "bytes", "time"}

// open decrypts one encrypted text; path is authenticated with it.
func (b *sopsBlock) open(text, path string) (plain []byte, kind string, err error) {
	m := encrypted.FindStringSubmatch(text)
	if m == nil || !slices.Contains(kinds, m[4]) {
		return nil, "", errors.New("not what SOPS writes")
	}
	var parts [3][]byte
	for i := range parts {
		if parts[i], err = base64.StdEncoding.DecodeString(m[i+1]); err != nil {
			return nil, "", errors.New("not what SOPS writes")
		}
	}
	data, iv, tag := parts[0], parts[1], parts[2]
	gcm, err := cipher.NewGCMWithNonceSize(b, len(iv))
	if err != nil || len(tag) != gcm.Overhead() {
		return nil, "", errors.New("not what SOPS writes")
	}
	plain, err = gcm.Open(nil, iv, slices.Concat(data, tag), []byte(path))
	if err != nil {
		return nil, "", errors.New("it has been changed, or moved from another key")
	}
	return plain, m[4], nil
}
