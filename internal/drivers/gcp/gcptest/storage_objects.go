package gcptest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	storagev1 "google.golang.org/api/storage/v1"
)

// object is one version of an object.
type object struct {
	raw  *storagev1.Object
	live bool
}

func (s *Server) listObjects(r *http.Request, _ []byte) (any, error) {
	b, err := s.find(r, "storage.objects.list")
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	var found []*storagev1.Object
	for _, o := range b.objects {
		if (o.live || q.Get("versions") == "true") && strings.HasPrefix(o.raw.Name, q.Get("prefix")) {
			found = append(found, o.raw)
		}
	}
	slices.SortStableFunc(found, func(a, b *storagev1.Object) int { return strings.Compare(a.Name, b.Name) })
	from, to, next, err := s.page(q.Get("pageToken"), q.Get("maxResults"), len(found))
	if err != nil {
		return nil, err
	}
	return &storagev1.Objects{Kind: "storage#objects", Items: found[from:to], NextPageToken: next}, nil
}

// insertObject takes an upload in one piece, with or without a record before the bytes.
func (s *Server) insertObject(r *http.Request, body []byte) (any, error) {
	b, err := s.find(r, "storage.objects.create")
	if err != nil {
		return nil, err
	}
	raw := &storagev1.Object{Name: r.URL.Query().Get("name")}
	content := body
	if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		record, err := parts.NextPart()
		if err == nil {
			err = json.NewDecoder(record).Decode(raw)
		}
		if err != nil {
			return nil, bad("Parse Error: %v", err)
		}
		media, err := parts.NextPart()
		if err != nil {
			return nil, bad("Parse Error: %v", err)
		}
		if content, err = io.ReadAll(media); err != nil {
			return nil, bad("Parse Error: %v", err)
		}
	}
	if raw.Name == "" || len(raw.Name) > 1024 {
		return nil, bad("Invalid object name: %q", raw.Name)
	}
	if why := s.keeps(b, raw.Name, 0); why != nil {
		return nil, why
	}
	b.retire(raw.Name)
	s.put(b, raw, content)
	return raw, nil
}

func (s *Server) put(b *bucket, raw *storagev1.Object, content []byte) {
	now := time.Now().UTC()
	raw.Kind, raw.Bucket, raw.Size = "storage#object", b.raw.Name, uint64(len(content))
	raw.Generation, raw.Metageneration = now.UnixMicro()*1000+int64(s.next()), 1
	raw.TimeCreated, raw.StorageClass = now.Format(time.RFC3339Nano), b.raw.StorageClass
	sum := crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
	raw.Crc32c = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
	b.objects = append(b.objects, &object{raw: raw, live: true})
}

// deleteObject deletes the version that is named, for good, or the live one, which stays as a noncurrent one where versions are kept.
func (s *Server) deleteObject(r *http.Request, _ []byte) (any, error) {
	b, err := s.find(r, "storage.objects.delete")
	if err != nil {
		return nil, err
	}
	name, generation := r.PathValue("o"), int64(0)
	if g := r.URL.Query().Get("generation"); g != "" {
		if generation, err = strconv.ParseInt(g, 10, 64); err != nil {
			return nil, bad("Invalid value: generation")
		}
	}
	if !slices.ContainsFunc(b.objects, func(o *object) bool { return o.is(name, generation) }) {
		return nil, refusal{http.StatusNotFound, "notFound", fmt.Sprintf("No such object: %s/%s", b.raw.Name, name)}
	}
	if why := s.keeps(b, name, generation); why != nil {
		return nil, why
	}
	if generation == 0 {
		b.retire(name)
		return nil, nil
	}
	b.objects = slices.DeleteFunc(b.objects, func(o *object) bool { return o.is(name, generation) })
	return nil, nil
}

// is reports whether o is the named version; generation 0 means the live one.
func (o *object) is(name string, generation int64) bool {
	return o.raw.Name == name && (generation == o.raw.Generation || generation == 0 && o.live)
}

// keeps is the refusal to touch a version that is under a hold or retained.
func (s *Server) keeps(b *bucket, name string, generation int64) error {
	for _, o := range b.objects {
		if !o.is(name, generation) {
			continue
		}
		hold := ""
		switch {
		case o.raw.TemporaryHold:
			hold = "Temporary hold"
		case o.raw.EventBasedHold:
			hold = "Event-Based hold"
		}
		if hold != "" {
			return refusal{http.StatusForbidden, "retentionPolicyNotMet", fmt.Sprintf("Object '%s/%s' is under active %s and cannot be deleted, overwritten or archived until hold is removed.", b.raw.Name, name, hold)}
		}
		if until, err := time.Parse(time.RFC3339, o.raw.RetentionExpirationTime); err == nil && time.Now().Before(until) {
			return refusal{http.StatusForbidden, "retentionPolicyNotMet", fmt.Sprintf("Object '%s/%s' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until %s", b.raw.Name, name, o.raw.RetentionExpirationTime)}
		}
	}
	return nil
}

// retire makes room for a new live version.
func (b *bucket) retire(name string) {
	for _, o := range b.objects {
		if o.is(name, 0) {
			o.live = false
			o.raw.TimeDeleted = time.Now().UTC().Format(time.RFC3339Nano)
			if b.raw.Versioning == nil || !b.raw.Versioning.Enabled {
				b.objects = slices.DeleteFunc(b.objects, func(x *object) bool { return x == o })
			}
			return
		}
	}
}

// PutObject puts an object of one byte into a bucket; edit, if it is not nil, may then hold it.
func (s *Server) PutObject(bucket, name string, edit func(*storagev1.Object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[bucket]
	if !ok {
		return
	}
	raw := &storagev1.Object{Name: name}
	b.retire(name)
	s.put(b, raw, []byte{1})
	if edit != nil {
		edit(raw)
	}
}

// Objects counts the versions in a bucket, noncurrent ones included.
func (s *Server) Objects(bucket string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[bucket]
	if !ok {
		return 0
	}
	return len(b.objects)
}
