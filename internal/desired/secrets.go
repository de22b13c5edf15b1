package desired

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"recsysd.dev/recsysd/internal/desired/workload"
	"recsysd.dev/recsysd/internal/sealed"
)

// made is what the values of one entry of secrets are.
type made struct {
	source string         // which making of them it is; "": made in the cluster
	data   map[string]any // as a manifest has it; nil for a value that is not known now
	keys   []string
	shut   bool   // the keys are not known
	awaits string // why a value is not known now
}

// maxSecret is what Kubernetes takes for all values of a Secret together.
const maxSecret = 1 << 20

// makeSecrets finds out the values of all Secrets, so that what uses them can be judged. Those that are generated have none here,
// and never get one.
func (b *builder) makeSecrets() {
	b.made = map[string]made{}
	keys := b.keyring()
	managed := b.managed()
	for _, name := range sortedKeys(b.file.Secrets) {
		e, path := b.file.Secrets[name], joined("secrets", name)
		b.checkKey(path, name)
		switch b.sourceOf(e, path) {
		case "generate":
			b.made[name] = b.generated(e, path)
		case "fromFile":
			b.made[name] = b.fromFile(e, path, keys)
		case "fromSecretManager":
			b.made[name] = b.fromSecretManager(e, path, managed)
		default:
			b.made[name] = made{shut: true}
		}
	}
}

// sourceOf is the one source of an entry; "" if it has none or several.
func (b *builder) sourceOf(e *secretEntry, path string) string {
	var said []string
	for _, s := range []struct {
		key  string
		said bool
	}{
		{"generate", e.Generate != nil}, {"fromFile", e.FromFile != ""}, {"fromSecretManager", e.FromSecretManager != nil},
	} {
		if s.said {
			said = append(said, s.key)
		}
	}
	single := len(e.FromSecretManager) == 1 && e.FromSecretManager[""] != (managedSecret{})
	switch {
	case len(said) == 0 && slices.ContainsFunc([]string{"generate", "fromFile", "fromSecretManager"}, func(key string) bool { return b.p.has(joined(path, key)) }):
		return ""
	case len(said) == 0:
		b.p.add(b.at(path), path, "has no source; one of generate, fromFile, fromSecretManager")
		return ""
	case len(said) > 1:
		b.p.add(b.at(joined(path, said[1])), joined(path, said[1]), "a Secret has one source, and this has %s", strings.Join(said, " and "))
		return ""
	case e.Key != "" && (said[0] == "generate" || said[0] == "fromSecretManager" && !single):
		b.p.add(b.at(path+".key"), path+".key", "the keys stand in %s already", said[0])
	case e.Key != "":
		b.checkSecretKey(e.Key, path+".key")
	}
	return said[0]
}

func (b *builder) checkSecretKey(key, path string) {
	if len(validation.IsConfigMapKey(key)) > 0 {
		b.p.add(b.at(path), path, "%q is not a key; letters, digits, '-', '_' and '.'", key)
	}
}

// generated has no values: they are made in the cluster.
func (b *builder) generated(e *secretEntry, path string) made {
	if len(e.Generate) == 0 {
		b.p.add(b.at(path), path+".generate", "missing; the keys to make values for, such as [password]")
	}
	for i, key := range e.Generate {
		b.checkSecretKey(key, indexed(path+".generate", i))
	}
	return made{keys: e.Generate}
}

// keyring gives the configuration's keys, which are read at most once.
func (b *builder) keyring() func() (sealed.Keys, error) {
	var keys sealed.Keys
	var err error
	read := false
	return func() (sealed.Keys, error) {
		if !read && b.options.Keys != nil {
			keys, err = b.options.Keys()
		}
		read = true
		return keys, err
	}
}

// fromFile opens an encrypted file of the tree.
func (b *builder) fromFile(e *secretEntry, entry string, keyring func() (sealed.Keys, error)) made {
	field := entry + ".fromFile"
	at := b.at(field)
	if path.IsAbs(e.FromFile) {
		b.p.add(at, field, "%q must be a path from the stack file's folder", e.FromFile)
		return made{shut: true}
	}
	name := path.Join(path.Dir(b.path), e.FromFile)
	data, err := b.tree.read(name)
	if err != nil {
		b.p.add(at, field, "%s: %v", name, err)
		return made{shut: true}
	}
	file, err := sealed.Recognize(data)
	if err != nil {
		b.p.add(at, field, "%s is %v; encrypt it with age or sops, and give out new values: those in it are known to all who read the repository", name, err)
		return made{shut: true}
	}
	m := made{source: file.Revision(), shut: true}
	keys, err := keyring()
	var values map[string][]byte
	if err == nil {
		values, err = file.Open(keys, e.Key)
	}
	var wrong sealed.Mistakes
	switch {
	case errors.Is(err, sealed.ErrNoKey) && b.options.Offline:
		b.notice(at, name+" stays shut: there is no key to open it with, so its keys are not judged; recsysd check --age-key FILE")
		return m
	case errors.Is(err, sealed.ErrNoKey):
		b.p.add(at, field, "%s cannot be opened: the daemon's configuration names no key; stacks[].secrets.ageKeyFile", name)
		return m
	case errors.As(err, &wrong):
		for _, w := range wrong {
			b.p.add(place{name, w.Line, w.Column}, entry, "%s", w.What)
		}
		return m
	case err != nil:
		b.p.add(at, field, "%s cannot be opened: %v", name, err)
		return m
	}
	m.shut = false
	m.fill(values)
	b.checkValues(values, name, place{file: name}, entry)
	return m
}

// fill takes in values as a manifest has them.
func (m *made) fill(values map[string][]byte) {
	m.data = map[string]any{}
	for key, value := range values {
		m.data[key] = base64.StdEncoding.EncodeToString(value)
	}
	m.keys = sortedKeys(values)
}

// checkValues judges what a file holds by what the API server would refuse.
func (b *builder) checkValues(values map[string][]byte, name string, at place, entry string) {
	size := 0
	for _, key := range sortedKeys(values) {
		size += len(values[key])
		if len(validation.IsConfigMapKey(key)) > 0 {
			b.p.add(at, joined(entry, key), "%q is not a key of a Secret; letters, digits, '-', '_' and '.'", key)
		}
	}
	switch {
	case len(values) == 0:
		b.p.add(at, entry, "there is no key in %s", name)
	case size > maxSecret:
		b.p.add(at, entry, "holds more than %d KiB, which no Secret does", maxSecret>>10)
	}
}

// revision tells pods which making of a Secret it is; "": that is not known now.
func (m made) revision() string {
	if m.awaits != "" {
		return ""
	}
	return m.source
}

// revisions are those of the Secrets that a workload uses, as far as their values come from outside the cluster.
func (b *builder) revisions(w workload.Workload) map[string]string {
	revisions := map[string]string{}
	for _, name := range w.UsedSecrets() {
		if m := b.made[name]; m.source != "" || m.awaits != "" {
			revisions[name] = m.revision()
		}
	}
	return revisions
}

// awaited is why a workload cannot be made now: it uses a Secret whose values are not known.
func (b *builder) awaited(w workload.Workload) string {
	var waits []string
	for _, name := range w.UsedSecrets() {
		if wait := b.made[name].awaits; wait != "" {
			waits = append(waits, fmt.Sprintf("secret %s: %s", name, wait))
		}
	}
	return strings.Join(waits, "; ")
}

// runsPods reports whether a workload's object has a template of pods.
func runsPods(manifest map[string]any) bool {
	return slices.Contains([]string{"Deployment", "StatefulSet", "CronJob"}, fmt.Sprint(manifest["kind"]))
}

// checkSecrets finds every Secret that a workload names among the stack's secrets and manifests.
func (b *builder) checkSecrets(w workload.Workload, path string, manifests []manifestFile) {
	known := maps.Clone(b.made)
	for _, f := range manifests {
		for _, m := range f.secrets() {
			if m.kind() == "Secret" && m.namespace(b.namespace()) == b.namespace() {
				known[m.name()] = made{keys: append(m.tree.get("data").keys(), m.tree.get("stringData").keys()...)}
			}
		}
	}
	for _, name := range sortedKeys(w.Env) {
		e, at := w.Env[name], path+".env."+name
		if e.Text != nil || e.Secret == "" || e.Key == "" {
			continue
		}
		m, ok := known[e.Secret]
		switch {
		case !ok:
			b.p.add(b.at(at+".secret"), at+".secret", "no secret %q in secrets or manifests%s", e.Secret, suggest(e.Secret, sortedKeys(known)))
		case !m.shut && !slices.Contains(m.keys, e.Key):
			b.p.add(b.at(at+".key"), at+".key", "secret %q has no key %q%s", e.Secret, e.Key, suggest(e.Key, m.keys))
		}
	}
	if name, at := w.Certified(), path+".expose.certificate"; name != "" {
		m, ok := known[name]
		switch {
		case !ok:
			b.p.add(b.at(at), at, "no secret %q in secrets or manifests%s", name, suggest(name, sortedKeys(known)))
		case !m.shut && !(slices.Contains(m.keys, "tls.crt") && slices.Contains(m.keys, "tls.key")):
			b.p.add(b.at(at), at, "secret %q does not have the keys tls.crt and tls.key", name)
		}
	}
	for _, name := range sortedKeys(w.Secrets) {
		if _, ok := known[name]; !ok {
			at := path + ".secrets." + name
			b.p.add(b.at(at), at, "no secret %q in secrets or manifests%s", name, suggest(name, sortedKeys(known)))
		}
	}
}

// addSecrets takes in the Secrets. A value goes into its object and nowhere else.
func (b *builder) addSecrets() {
	for _, name := range sortedKeys(b.file.Secrets) {
		e, path, m := b.file.Secrets[name], joined("secrets", name), b.made[name]
		workload.ValidateLabels(e.Labels, func(field, format string, args ...any) {
			b.p.add(b.at(joined(path, field)), joined(path, field), format, args...)
		})
		labels := map[string]any{}
		for k, v := range e.Labels {
			labels[k] = v
		}
		o := object{
			Manifest: map[string]any{
				"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
				"metadata": map[string]any{"name": name, "namespace": b.namespace(), "labels": labels},
			},
			Cluster: b.cluster, Generate: e.Generate, Source: m.source, Awaits: m.awaits,
		}
		if m.data != nil {
			o.Manifest["data"] = m.data
		}
		from := origin{entry: path, path: path, at: b.at(path), handling: e.Handling}
		b.add(b.object(o, from), from.at, path)
	}
}

// tellPlainSecret tells of values that everybody can read who reads the repository; base64 hides nothing.
func (b *builder) tellPlainSecret(m manifest) {
	if m.kind() == "Secret" && m.text("apiVersion") == "v1" && len(m.tree.get("data").keys())+len(m.tree.get("stringData").keys()) > 0 {
		b.notice(m.at, "Secret "+m.name()+" has its values in Git, where all can read them who read the repository; secrets takes encrypted files")
	}
}
