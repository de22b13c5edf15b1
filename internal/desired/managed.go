package desired

import (
	"cmp"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ManagedName names a value of Google Secret Manager.
type ManagedName struct {
	Secret  string // its name in the stack's project, or projects/P/secrets/S
	Version string // "": the newest enabled one
}

// ManagedValue is what Secret Manager has for a name, or had when it was last asked.
type ManagedValue struct {
	Data    []byte
	Version string    // of the value, such as 3
	Err     error     // why there is none; it tells nothing of the value
	Notice  string    // why it may be an old one; "": it is the newest
	Next    time.Time // when it may be another
}

// name is what Secret Manager is asked for.
func (m managedSecret) name() ManagedName { return ManagedName(m) }

// managedNames are the values of Secret Manager that the stack names, each once.
func (b *builder) managedNames() []ManagedName {
	var names []ManagedName
	for _, name := range sortedKeys(b.file.Secrets) {
		for _, key := range sortedKeys(b.file.Secrets[name].FromSecretManager) {
			if m := b.file.Secrets[name].FromSecretManager[key]; managedFits(m) && !slices.Contains(names, m.name()) {
				names = append(names, m.name())
			}
		}
	}
	return names
}

// managed asks Secret Manager for everything that the stack names, at once.
func (b *builder) managed() map[ManagedName]ManagedValue {
	names := b.managedNames()
	known := map[ManagedName]ManagedValue{}
	if b.options.Managed == nil || len(names) == 0 {
		return known
	}
	for i, v := range b.options.Managed(names) {
		known[names[i]] = v
		if !v.Next.IsZero() {
			b.holdsUntil(v.Next)
		}
	}
	return known
}

var (
	managedOK = regexp.MustCompile(`^(projects/[a-z0-9.:-]{1,80}/secrets/)?[A-Za-z0-9_-]{1,255}$`)
	versionOK = regexp.MustCompile(`^([1-9][0-9]{0,9})?$`)
)

func managedFits(m managedSecret) bool {
	return managedOK.MatchString(m.Secret) && versionOK.MatchString(m.Version)
}

// fromSecretManager takes the values that Secret Manager has. What is not known now is awaited: whatever lives in the cluster stays.
func (b *builder) fromSecretManager(e *secretEntry, entry string, known map[ManagedName]ManagedValue) made {
	m := made{data: map[string]any{}}
	field := entry + ".fromSecretManager"
	if len(e.FromSecretManager) == 0 {
		b.p.add(b.at(field), field, "names no secret")
	}
	if e.FromSecretManager["version"] != (managedSecret{}) && e.FromSecretManager["secret"] != (managedSecret{}) {
		b.p.add(b.at(field), field, "the mapping is of keys to secrets; write {%s: {secret, version}}", cmp.Or(e.Key, "value"))
	}
	var sources, waits []string
	for _, listed := range sortedKeys(e.FromSecretManager) {
		ref, at := e.FromSecretManager[listed], field
		key := listed
		if listed == "" && len(e.FromSecretManager) == 1 {
			key = cmp.Or(e.Key, "value")
		} else {
			at = joined(field, listed)
			b.checkSecretKey(key, at)
		}
		b.checkManaged(ref, at)
		v, asked := known[ref.name()]
		m.keys = append(m.keys, key)
		m.data[key] = nil
		switch {
		case !asked:
			sources = append(sources, key+"="+ref.Secret+"/"+cmp.Or(ref.Version, "latest"))
		case v.Err != nil:
			waits = append(waits, v.Err.Error())
		default:
			m.data[key] = base64.StdEncoding.EncodeToString(v.Data)
			sources = append(sources, key+"="+ref.Secret+"/"+v.Version)
		}
		if v.Notice != "" {
			b.notice(b.at(at), v.Notice)
		}
	}
	m.source, m.awaits = strings.Join(sources, ","), strings.Join(slices.Compact(waits), "; ")
	return m
}

// regional is a secret that is kept in one location, behind an endpoint of its own.
var regional = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/secrets/[^/]+$`)

func (b *builder) checkManaged(m managedSecret, at string) {
	switch {
	case regional.MatchString(m.Secret):
		b.p.add(b.at(at), at, "%q is a regional secret, which is not supported; use a global one, projects/P/secrets/S", m.Secret)
	case !managedOK.MatchString(m.Secret):
		b.p.add(b.at(at), at, "%q is not the name of a secret: letters, digits, '-' and '_', or projects/P/secrets/S", m.Secret)
	}
	if !versionOK.MatchString(m.Version) {
		b.p.add(b.at(at+".version"), at+".version", "%q is not the number of a version; leave it out for the newest", m.Version)
	}
}
