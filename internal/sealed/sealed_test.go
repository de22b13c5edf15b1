package sealed_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/sealed"
)

// The files of testdata were made by age and sops themselves: see testdata/make.

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keys(t testing.TB, name string) sealed.Keys {
	t.Helper()
	k, err := sealed.ParseKeys(read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// values opens data as a file, with the key of that name.
func values(t testing.TB, data []byte, key, whole string) (map[string]string, error) {
	t.Helper()
	f, err := sealed.Recognize(data)
	if err != nil {
		return nil, err
	}
	opened, err := f.Open(keys(t, key), whole)
	texts := map[string]string{}
	for k, v := range opened {
		texts[k] = string(v)
	}
	return texts, err
}

func TestOpen(t *testing.T) {
	two := map[string]string{"password": "correct horse", "port": "5432"}
	all := map[string]string{"password": "correct horse", "port": "5432", "ratio": "0.5", "on": "true", "empty": "", "lines": "one\ntwo\n"}
	cases := []struct {
		file, key, whole, why string
		want                  map[string]string
	}{
		{"binary.age", "age.key", "", "age's own form", two},
		{"armored.age", "age.key", "", "armored, for two recipients of whom we are the second", two},
		{"armored.age", "other.key", "", "the first of two recipients", two},
		{"ssh.age", "ssh.key", "", "an ssh key is a recipient too", two},
		{"pq.age", "pq.key", "", "age's keys that outlast quantum computers", two},
		{"whole.age", "age.key", "blob", "with key, whatever bytes there are become one value", map[string]string{"blob": "\x00\x01whole"}},
		{"values.yaml", "age.key", "", "every type of SOPS is the text that was written, and what is empty stays so", all},
		{"values.yaml", "other.key", "", "any recipient opens it", all},
		{"maconly.yaml", "age.key", "", "the MAC begins otherwise with mac_only_encrypted", all},
		{"updated.yaml", "age.key", "", "a recipient more", all},
		{"updated.yaml", "pq.key", "", "a recipient more", all},
		{"values.json", "age.key", "", "JSON has escapes that YAML does not know", map[string]string{"password": "correct über 😀 horse", "port": "5432"}},
		{"whole.sops", "age.key", "blob", "a file that SOPS encrypted as a whole", map[string]string{"blob": "\x00\x01whole"}},
	}
	for _, c := range cases {
		t.Run(c.file+" "+c.key, func(t *testing.T) {
			got, err := values(t, read(t, c.file), c.key, c.whole)
			if err != nil || !maps.Equal(got, c.want) {
				t.Errorf("%s: got %q, %v; want %q", c.why, got, err, c.want)
			}
		})
	}
}

// What is refused, and that no reason repeats a value.
func TestRefused(t *testing.T) {
	swap := func(file, pattern, with string) []byte {
		data := read(t, file)
		out := regexp.MustCompile(pattern).ReplaceAll(data, []byte(with))
		if string(out) == string(data) {
			t.Fatalf("%q is not in %s", pattern, file)
		}
		return out
	}
	cases := []struct {
		name             string
		data             []byte
		key, whole, want string
	}{
		{"plain text", []byte("password: hunter2hunter2"), "age.key", "", "not encrypted: neither age nor SOPS wrote it"},
		{"plain text that is no YAML either", []byte("pass\tword: [hunter2hunter2"), "age.key", "", "not encrypted: neither age nor SOPS wrote it"},
		{"an empty file", nil, "age.key", "", "not encrypted: neither age nor SOPS wrote it"},
		{"another's key", read(t, "binary.age"), "other.key", "", "it was not encrypted for the given key"},
		{"another's key, SOPS", read(t, "foreign.yaml"), "age.key", "", "it was not encrypted for the given key"},
		{"cut off", read(t, "binary.age")[:230], "age.key", "", "it is damaged: what age encrypted has been changed or cut off"},
		{"an intro and nothing else", []byte("age-encryption.org/v1\n"), "age.key", "", "it is damaged: what age encrypted has been changed or cut off"},
		{"values within values, and none", read(t, "nested.age"), "age.key", "", "line 2, column 7: \"user\" must be a text; a Secret has no values within values\nline 3, column 7: \"empty\" has no value"},
		{"a plain text that is no YAML", read(t, "syntax.age"), "age.key", "", "line 2, column 8: not YAML that can be read; does a text need quotes?"},
		{"a plain text of other bytes", read(t, "whole.age"), "age.key", "", "not a text in UTF-8; a value of other bytes is taken whole, under the name that key gives"},
		{"cleartext in a SOPS file", read(t, "suffix.yaml"), "age.key", "", "line 2, column 19: \"host_unencrypted\" is not encrypted"},
		{"values within values, SOPS", read(t, "deep.yaml"), "age.key", "", "line 2, column 5: \"db\" must be a text; a Secret has no values within values"},
		{"key for a SOPS file with keys", swap("values.json", `(?s)"port": "[^"]*",`, ""), "age.key", "blob", "line 2, column 0: \"password\": the file has keys of its own, so leave key out; a single value is what sops --input-type binary encrypts"},
		{"a value that was removed", swap("values.yaml", `(?m)^port: .*\n`, ""), "age.key", "", "it is damaged: what SOPS encrypted has been changed since; edit it with sops"},
		{"a value under another key", swap("values.yaml", `(?m)^port: `, "gate: "), "age.key", "", "line 3, column 7: \"gate\": it has been changed, or moved from another key"},
		{"another order", swap("values.yaml", `(?ms)^(password: .*?\n)(port: .*?\n)`, "$2$1"), "age.key", "", "it is damaged: what SOPS encrypted has been changed since; edit it with sops"},
		{"a value that was emptied", swap("values.yaml", `(?m)^port: .*$`, `port: ""`), "age.key", "", "it is damaged: what SOPS encrypted has been changed since; edit it with sops"},
		{"another time", swap("values.yaml", `lastmodified: "20`, `lastmodified: "21`), "age.key", "", "sops.mac: it has been changed, or moved from another key"},
		{"no MAC", swap("values.yaml", `(?m)^ +mac: .*\n`, ""), "age.key", "", "sops: without a MAC; not what SOPS writes"},
		{"no age recipient", swap("values.yaml", `(?ms)^ +age:\n.*?^ +lastmodified`, "    lastmodified"), "age.key", "", "sops: the file has no age recipient; only age's keys are supported"},
		{"keys shared among groups", swap("values.yaml", `(?m)^sops:\n`, "sops:\n    key_groups: []\n"), "age.key", "", "sops.key_groups: keys that are shared among groups are not supported; use one group of age recipients"},
		{"mac_only_encrypted taken off", swap("maconly.yaml", `(?m)^ +mac_only_encrypted: true\n`, ""), "age.key", "", "it is damaged: what SOPS encrypted has been changed since; edit it with sops"},
		{"nothing but metadata", swap("values.yaml", `(?ms)\A.*^sops:`, "sops:"), "age.key", "", "there is no value in it"},
	}
	place := regexp.MustCompile(`line \d+, column \d+: `)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := values(t, c.data, c.key, c.whole)
			if err == nil {
				t.Fatalf("accepted, as %q", got)
			}
			said := err.Error()
			if place.ReplaceAllString(said, "") != place.ReplaceAllString(c.want, "") {
				t.Errorf("got  %s\nwant %s", said, c.want)
			}
			if strings.Contains(said, "hunter2") || strings.Contains(said, "correct horse") {
				t.Errorf("a value is repeated: %s", said)
			}
			var wrong sealed.Mistakes
			if strings.HasPrefix(c.want, "line") && (!errors.As(err, &wrong) || wrong[0].Line < 1) {
				t.Errorf("no place in %v", err)
			}
		})
	}
}

// A revision tells one making of the values from another, and nothing of them.
func TestRevision(t *testing.T) {
	revision := func(data []byte) string {
		f, err := sealed.Recognize(data)
		if err != nil {
			t.Fatal(err)
		}
		return f.Revision()
	}
	if revision(read(t, "binary.age")) == revision(read(t, "armored.age")) {
		t.Error("the same text encrypted twice has the same revision: it is made from the text")
	}
	if revision(read(t, "values.yaml")) != revision(read(t, "updated.yaml")) {
		t.Error("another recipient of a SOPS file is no other value")
	}
	if revision(read(t, "values.yaml")) == revision(read(t, "maconly.yaml")) {
		t.Error("a SOPS file encrypted anew has the same revision")
	}
}

func TestReadKeys(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := string(read(t, "age.key"))
	for _, mode := range []os.FileMode{0o400, 0o600, 0o440, 0o640} { // systemd hands credentials over with 0440 and an access list
		if _, err := sealed.ReadKeys(write("good", key, mode)); err != nil {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	secret := key[strings.Index(key, "AGE-SECRET-KEY-")+20:]
	cases := []struct{ why, path, want string }{
		{"anybody may read it", write("open", key, 0o644), "has mode 0644, so others can read it; chmod 600"},
		{"the group may write it", write("group", key, 0o660), "has mode 0660"},
		{"it is not there", filepath.Join(dir, "none"), "no such file"},
		{"it is a folder", dir, "is not a file"},
		{"it is empty", write("empty", " \n", 0o600), "empty"},
		{"it is a public key", write("public", "age1gzpg9jnyamm83tng3xh6ff2d7crl92kuykd2ku636y2sd6drha2qtk8ytl\n", 0o600), "not a key file of age"},
		{"a letter of the key is wrong", write("typo", strings.Replace(key, secret[:4], "1111", 1), 0o600), "not a key file of age"},
		{"the ssh key has a passphrase", write("locked", string(read(t, "ssh-locked.key")), 0o600), "without a passphrase"},
	}
	for _, c := range cases {
		_, err := sealed.ReadKeys(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.why, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret[4:12]) {
			t.Errorf("%s: the key is repeated: %v", c.why, err)
		}
	}
}

func TestWithoutKey(t *testing.T) {
	for _, name := range []string{"binary.age", "values.yaml"} {
		f, err := sealed.Recognize(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Open(sealed.Keys{}, ""); !errors.Is(err, sealed.ErrNoKey) {
			t.Errorf("%s: got %v, want ErrNoKey", name, err)
		}
	}
}

// FuzzFile: whatever a file holds, the answer is values or a mistake, and no mistake repeats what stood there.
func FuzzFile(f *testing.F) {
	for _, name := range []string{"binary.age", "armored.age", "values.yaml", "values.json", "maconly.yaml", "whole.sops", "deep.yaml", "suffix.yaml"} {
		f.Add(read(f, name), "")
	}
	f.Add([]byte("sops: {age: [{enc: x}]}\na: ENC[AES256_GCM,data:,iv:AA==,tag:AA==,type:str]"), "key")
	opens := keys(f, "age.key")
	f.Fuzz(func(t *testing.T, data []byte, whole string) {
		file, err := sealed.Recognize(data)
		if err != nil {
			return
		}
		if again, err := sealed.Recognize(data); err != nil || file.Revision() != again.Revision() {
			t.Errorf("the revision is not the same twice: %v", err)
		}
		if got, err := file.Open(opens, whole); err != nil && got != nil {
			t.Errorf("%d values of a file that is refused", len(got))
		}
	})
}
