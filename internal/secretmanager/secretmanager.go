// Package secretmanager remembers what Google Secret Manager has under the names that a stack uses. It asks once per name and
// interval whether there is a newer version, and reads a value only when there is. Values are kept in memory and nowhere else; while
// Secret Manager cannot be reached the last known ones go on. It knows no stack and no Kubernetes object, and it never writes.
package secretmanager

import (
	"context"
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

	api "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/iterator"
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
)

var errLate = fmt.Errorf("no answer within %s", patience)

// Store answers for one stack. Make it with New.
type Store struct {
	connect func() (*api.Client, error)
	project string
	refresh time.Duration

	asking sync.Mutex  // one call of Values at a time; guards what follows
	client *api.Client // nil until the first question
	known  map[Name]Value
}

// New returns a store that asks at most once per name within refresh. It connects, and looks for credentials, with the first question.
// ctx is used for as long as the store is.
func New(ctx context.Context, c gcp.Config, refresh time.Duration) *Store {
	return &Store{
		connect: func() (*api.Client, error) { return Client(ctx, c) },
		project: c.Project, refresh: refresh, known: map[Name]Value{},
	}
}

// Client is Google's own, over gRPC. It sends every question once: whoever asks asks again.
func Client(ctx context.Context, c gcp.Config) (*api.Client, error) {
	opts, err := c.GRPC(ctx, gcp.SecretManager)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("secret manager client: %w", err)
	}
	client.CallOptions = &api.CallOptions{}
	return client, nil
}

// Close lets go of the connection.
func (s *Store) Close() error {
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.client == nil {
		return nil
	}
	return s.client.Close()
}

// Values gives a value for each of names, in their order. What it knew of others is forgotten.
func (s *Store) Values(ctx context.Context, names []Name) []Value {
	s.asking.Lock()
	defer s.asking.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLate)
	defer cancel()
	maps.DeleteFunc(s.known, func(n Name, _ Value) bool { return !slices.Contains(names, n) })
	if s.client == nil && len(names) > 0 {
		var err error
		if s.client, err = s.connect(); err != nil {
			return s.unasked(names, err)
		}
	}
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
	} else if gcp.Code(err) == codes.DeadlineExceeded { // it is told our deadline, and may act on it a moment before we do
		err = errLate
	}
	return s.failed(name, known, now, err)
}

// unasked is what there is to say when nobody could be asked.
func (s *Store) unasked(names []Name, err error) []Value {
	values := make([]Value, len(names))
	for i, name := range names {
		values[i] = s.failed(name, s.known[name], time.Now(), err)
	}
	return values
}

// failed is what is known, and why it may not be the newest.
func (s *Store) failed(name Name, known Value, now time.Time, err error) Value {
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

const enabled = secretmanagerpb.SecretVersion_ENABLED

// newest is the number of the newest enabled version. The alias "latest" would not do: it is the newest of all, enabled or not.
func (s *Store) newest(ctx context.Context, parent string) (string, error) {
	newest := 0
	for it := s.client.ListSecretVersions(ctx, &secretmanagerpb.ListSecretVersionsRequest{Parent: parent, Filter: "state:" + enabled.String()}); ; {
		v, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return "", explain(err, "secretmanager.versions.list", "roles/secretmanager.viewer", "it does not exist")
		}
		if n, err := strconv.Atoi(path.Base(v.GetName())); err == nil && v.GetState() == enabled {
			newest = max(newest, n)
		}
	}
	if newest == 0 {
		return "", errors.New("it has no enabled version")
	}
	return strconv.Itoa(newest), nil
}

// enabled reports whether a version that the stack names may be read.
func (s *Store) enabled(ctx context.Context, parent, version string) error {
	v, err := s.client.GetSecretVersion(ctx, &secretmanagerpb.GetSecretVersionRequest{Name: parent + "/versions/" + version})
	if err != nil {
		return explain(err, "secretmanager.versions.get", "roles/secretmanager.viewer", "there is no version "+version)
	}
	if v.GetState() != enabled {
		return fmt.Errorf("version %s is %s", version, strings.ToLower(v.GetState().String()))
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// access reads a value and proves that it came over whole.
func (s *Store) access(ctx context.Context, name string) ([]byte, error) {
	answer, err := s.client.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: name})
	if err != nil {
		return nil, explain(err, "secretmanager.versions.access", "roles/secretmanager.secretAccessor", "version "+path.Base(name)+" has gone")
	}
	if answer.GetPayload() == nil {
		return nil, errors.New("an answer without a value")
	}
	data := answer.GetPayload().GetData()
	if int64(crc32.Checksum(data, castagnoli)) != answer.GetPayload().GetDataCrc32C() {
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
