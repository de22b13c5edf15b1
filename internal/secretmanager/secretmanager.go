// Package secretmanager remembers what Google Secret Manager has under the names that a stack uses. It asks once per name and
// interval whether there is a newer version, and reads a value only when there is. Values are kept in memory and nowhere else; while
// Secret Manager cannot be reached the last known ones go on. It knows no stack and no Kubernetes object, and it never writes.
package secretmanager

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/api/option"
	api "google.golang.org/api/secretmanager/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Name is what is asked for.
type Name struct {
	Secret  string // in the project of the configuration, or projects/P/secrets/S
	Version string // number; "": the newest that is enabled
}

// Value is what there is under a name.
type Value struct {
	Data    []byte
	Version string
	Err     error     // why there is none
	Stale   error     // why it may not be the newest: it is what was read last
	Next    time.Time // when it is worth asking again
}

const (
	patience = 5 * time.Second  // for all questions of one call: a pass waits for them
	again    = 15 * time.Second // after a question that failed
	width    = 8                // questions at a time
	maxPages = 100
)

// Store answers for one stack. Make it with New.
type Store struct {
	versions *api.ProjectsSecretsVersionsService
	project  string
	refresh  time.Duration

	asking sync.Mutex // one call of Values at a time
	known  map[Name]Value
}

// New returns a store that asks at most once per name within refresh. It sends nothing yet. ctx is used for as long as the store is.
func New(ctx context.Context, c gcp.Config, refresh time.Duration) (*Store, error) {
	opts, err := c.HTTP(ctx, gcp.SecretManager)
	if err != nil {
		return nil, err
	}
	service, err := api.NewService(ctx, append(opts, option.WithScopes(api.CloudPlatformScope))...)
	if err != nil {
		return nil, fmt.Errorf("secret manager: %w", err)
	}
	return &Store{versions: service.Projects.Secrets.Versions, project: c.Project, refresh: refresh, known: map[Name]Value{}}, nil
}

// Values gives a value for each of names, in their order. What it knew of others is forgotten.
func (s *Store) Values(ctx context.Context, names []Name) []Value {
	s.asking.Lock()
	defer s.asking.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()
	maps.DeleteFunc(s.known, func(n Name, _ Value) bool { return !slices.Contains(names, n) })
	values := make([]Value, len(names))
	var g errgroup.Group
	g.SetLimit(width)
	for i, name := range names {
		known := s.known[name]
		g.Go(func() error {
			values[i] = s.value(ctx, name, known)
			return nil
		})
	}
	_ = g.Wait() // the errors are in the values
	for i, name := range names {
		s.known[name] = values[i]
	}
	return values
}

// value is what is known as long as it need not be asked for; else what Secret Manager says now.
func (s *Store) value(ctx context.Context, name Name, known Value) Value {
	now := time.Now()
	if now.Before(known.Next) {
		return known
	}
	fresh, err := s.ask(ctx, name, known)
	if err == nil {
		fresh.Next = now.Add(s.refresh)
		return fresh
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	err = fmt.Errorf("secret manager: secret %s: %w", name.Secret, err)
	v := Value{Data: known.Data, Version: known.Version, Next: now.Add(min(again, s.refresh))}
	if known.Version == "" {
		v.Err = err
	} else {
		v.Stale = fmt.Errorf("%w; version %s, which was read before, stays in use", err, known.Version)
	}
	return v
}

// ask finds the version, and reads its value unless that is the one that is known.
func (s *Store) ask(ctx context.Context, name Name, known Value) (Value, error) {
	parent := name.Secret
	if !strings.Contains(parent, "/") {
		parent = "projects/" + s.project + "/secrets/" + parent
	}
	version := name.Version
	var err error
	if version == "" {
		version, err = s.newest(ctx, parent)
	} else {
		err = s.enabled(ctx, parent, version)
	}
	if err != nil {
		return Value{}, err
	}
	if version == known.Version {
		return Value{Data: known.Data, Version: version}, nil
	}
	data, err := s.access(ctx, parent+"/versions/"+version)
	if err != nil {
		return Value{}, err
	}
	return Value{Data: data, Version: version}, nil
}

const stateEnabled = "ENABLED"

// newest is the number of the newest enabled version. The alias "latest" would not do: it is the newest of all, enabled or not.
func (s *Store) newest(ctx context.Context, parent string) (string, error) {
	newest, token := 0, ""
	for range maxPages {
		page, err := s.versions.List(parent).Filter("state:" + stateEnabled).PageToken(token).Context(ctx).Do()
		if err != nil {
			return "", explain(err, "secretmanager.versions.list", "roles/secretmanager.viewer", "it does not exist")
		}
		for _, v := range page.Versions {
			if n, err := strconv.Atoi(path.Base(v.Name)); err == nil && v.State == stateEnabled {
				newest = max(newest, n)
			}
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	if newest == 0 {
		return "", errors.New("it has no enabled version")
	}
	return strconv.Itoa(newest), nil
}

// enabled reports whether a version that the stack names may be read.
func (s *Store) enabled(ctx context.Context, parent, version string) error {
	v, err := s.versions.Get(parent + "/versions/" + version).Context(ctx).Do()
	if err != nil {
		return explain(err, "secretmanager.versions.get", "roles/secretmanager.viewer", "there is no version "+version)
	}
	if v.State != stateEnabled {
		return fmt.Errorf("version %s is %s", version, strings.ToLower(v.State))
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// access reads a value and proves that it came over whole.
func (s *Store) access(ctx context.Context, name string) ([]byte, error) {
	answer, err := s.versions.Access(name).Context(ctx).Do()
	if err != nil {
		return nil, explain(err, "secretmanager.versions.access", "roles/secretmanager.secretAccessor", "version "+path.Base(name)+" has gone")
	}
	if answer.Payload == nil {
		return nil, errors.New("an answer without a value")
	}
	data, err := base64.StdEncoding.DecodeString(answer.Payload.Data)
	if err != nil || int64(crc32.Checksum(data, castagnoli)) != answer.Payload.DataCrc32c {
		return nil, errors.New("what arrived does not have the checksum that it was stored with")
	}
	return data, nil
}

// explain says in one line what is missing, and which role would give it.
func explain(err error, permission, role, absent string) error {
	switch gcp.Code(err) {
	case codes.NotFound:
		return errors.New(absent)
	case codes.PermissionDenied:
		return fmt.Errorf("permission %s is missing (%s), or it does not exist", permission, role)
	}
	return gcp.Explain(permission, err)
}
