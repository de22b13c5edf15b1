package gcptest

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// bucket is a bucket with what is in it. Its metageneration stands for everything about it, the access policy included.
type bucket struct {
	raw      *storagev1.Bucket
	policy   *storagev1.Policy
	objects  []*object // every version, oldest first
	readable bool      // by the caller; another project's may not be
}

// storageCall is one request to Cloud Storage. act runs with the server's lock held and gives the answer's body; nil: no content.
type storageCall func(r *http.Request, body []byte) (any, error)

func (s *Server) serveStorage(mux *http.ServeMux) {
	handle := func(pattern, method string, write bool, act storageCall) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
			if err != nil {
				writeStorageError(w, bad("%v", err))
				return
			}
			target := r.PathValue("b")
			if method == "storage.buckets.insert" {
				target = nameIn(body)
			}
			var answer []byte
			err = s.serve(r.Context(), Call{Service: gcp.Storage, Method: method, Target: target, Write: write}, func() error {
				a, err := act(r, body)
				if err == nil && a != nil {
					answer, err = json.Marshal(a) // here, because it is the state itself
				}
				return err
			})
			if err != nil {
				writeStorageError(w, err)
				return
			}
			writeJSON(w, answer)
		})
	}
	handle("GET /storage/v1/b", "storage.buckets.list", false, s.listBuckets)
	handle("POST /storage/v1/b", "storage.buckets.insert", true, s.insertBucket)
	handle("GET /storage/v1/b/{b}", "storage.buckets.get", false, s.getBucket)
	handle("PATCH /storage/v1/b/{b}", "storage.buckets.patch", true, s.patchBucket)
	handle("DELETE /storage/v1/b/{b}", "storage.buckets.delete", true, s.deleteBucket)
	handle("GET /storage/v1/b/{b}/iam", "storage.buckets.getIamPolicy", false, s.getPolicy)
	handle("PUT /storage/v1/b/{b}/iam", "storage.buckets.setIamPolicy", true, s.setPolicy)
	handle("GET /storage/v1/b/{b}/iam/testPermissions", "storage.buckets.testIamPermissions", false, s.testPermissions)
	handle("GET /storage/v1/b/{b}/o", "storage.objects.list", false, s.listObjects)
	handle("POST /upload/storage/v1/b/{b}/o", "storage.objects.insert", true, s.insertObject)
	handle("DELETE /storage/v1/b/{b}/o/{o}", "storage.objects.delete", true, s.deleteObject)
}

func nameIn(body []byte) string {
	var in struct{ Name string }
	_ = json.Unmarshal(body, &in) // what does not parse is refused later, with a reason
	return in.Name
}

func (s *Server) listBuckets(r *http.Request, _ []byte) (any, error) {
	q := r.URL.Query()
	if q.Get("project") != s.project {
		return nil, denied("storage.buckets.list", "project")
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		if b := s.buckets[name]; b.raw.ProjectNumber == uint64(s.number) && strings.HasPrefix(name, q.Get("prefix")) {
			names = append(names, name)
		}
	}
	from, to, next, err := s.page(q.Get("pageToken"), q.Get("maxResults"), len(names))
	if err != nil {
		return nil, err
	}
	list := &storagev1.Buckets{Kind: "storage#buckets", NextPageToken: next}
	for _, name := range names[from:to] {
		list.Items = append(list.Items, s.buckets[name].raw)
	}
	return list, nil
}

// page cuts n results: tokens are offsets.
func (s *Server) page(token, limit string, n int) (from, to int, next string, err error) {
	if token != "" {
		if from, err = strconv.Atoi(token); err != nil || from > n {
			return 0, 0, "", bad("Invalid value: pageToken")
		}
	}
	size := 1000
	if s.pageSize > 0 {
		size = s.pageSize
	}
	if m, err := strconv.Atoi(limit); err == nil && m > 0 {
		size = min(size, m)
	}
	to = min(from+size, n)
	if to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next, nil
}

func (s *Server) insertBucket(r *http.Request, body []byte) (any, error) {
	if r.URL.Query().Get("project") != s.project {
		return nil, denied("storage.buckets.create", "project")
	}
	in := &storagev1.Bucket{}
	if err := json.Unmarshal(body, in); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	if !validBucketName(in.Name) {
		return nil, bad("Invalid bucket name: '%s'", in.Name)
	}
	if old, ok := s.buckets[in.Name]; ok {
		if old.raw.ProjectNumber == uint64(s.number) {
			return nil, conflict("Your previous request to create the named bucket succeeded and you already own it.")
		}
		return nil, conflict("The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.")
	}
	now := time.Now().UTC()
	in.ProjectNumber, in.TimeCreated = uint64(s.number), now.Format(time.RFC3339Nano)
	in.Metageneration, in.Generation = 0, now.UnixMicro()
	fillBucket(in, now)
	if err := checkBucket(in); err != nil {
		return nil, err
	}
	b := &bucket{raw: in, policy: newPolicy(s.project), readable: true}
	s.buckets[in.Name] = b
	b.touch()
	return b.raw, nil
}

// find is a bucket that the caller may see. Of one that he may not see Google does not say whose it is.
func (s *Server) find(r *http.Request, permission string) (*bucket, error) {
	b, ok := s.buckets[r.PathValue("b")]
	if !ok {
		return nil, refusal{http.StatusNotFound, "notFound", "The specified bucket does not exist."}
	}
	if !b.readable {
		return nil, denied(permission, "Google Cloud Storage bucket")
	}
	q := r.URL.Query()
	for _, c := range []struct {
		name  string
		holds func(int64) bool
	}{
		{"ifMetagenerationMatch", func(n int64) bool { return n == b.raw.Metageneration }},
		{"ifMetagenerationNotMatch", func(n int64) bool { return n != b.raw.Metageneration }},
	} {
		if v := q.Get(c.name); v != "" {
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return nil, bad("Invalid value: %s", c.name)
			}
			if !c.holds(n) {
				return nil, stale()
			}
		}
	}
	return b, nil
}

func (s *Server) getBucket(r *http.Request, _ []byte) (any, error) {
	b, err := s.find(r, "storage.buckets.get")
	if err != nil {
		return nil, err
	}
	return b.raw, nil
}

// patchBucket merges as RFC 7396 has it: null deletes, lists are replaced.
func (s *Server) patchBucket(r *http.Request, body []byte) (any, error) {
	b, err := s.find(r, "storage.buckets.update")
	if err != nil {
		return nil, err
	}
	patch, doc := map[string]any{}, map[string]any{}
	if err := json.Unmarshal(body, &patch); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	for _, readOnly := range []string{"id", "kind", "selfLink", "name", "projectNumber", "metageneration", "generation", "timeCreated", "updated", "etag", "locationType"} {
		delete(patch, readOnly)
	}
	if err := through(b.raw, &doc); err != nil {
		return nil, err
	}
	next := &storagev1.Bucket{}
	if err := through(mergePatch(doc, patch), next); err != nil {
		return nil, bad("Parse Error: %v", err)
	}
	if !strings.EqualFold(next.Location, b.raw.Location) {
		return nil, bad("The location of a bucket cannot be changed.")
	}
	fillBucket(next, time.Now().UTC())
	if err := checkBucket(next); err != nil {
		return nil, err
	}
	b.raw = next
	b.touch()
	return b.raw, nil
}

func mergePatch(doc, patch map[string]any) map[string]any {
	for k, v := range patch {
		part, isMap := v.(map[string]any)
		switch {
		case v == nil:
			delete(doc, k)
		case isMap:
			old, _ := doc[k].(map[string]any)
			if old == nil {
				old = map[string]any{}
			}
			doc[k] = mergePatch(old, part)
		default:
			doc[k] = v
		}
	}
	return doc
}

func (s *Server) deleteBucket(r *http.Request, _ []byte) (any, error) {
	b, err := s.find(r, "storage.buckets.delete")
	if err != nil {
		return nil, err
	}
	if len(b.objects) > 0 {
		return nil, conflict("The bucket you tried to delete is not empty.")
	}
	delete(s.buckets, b.raw.Name)
	return nil, nil
}

// touch is what every change of a bucket brings with it.
func (b *bucket) touch() {
	b.raw.Metageneration++
	b.raw.Updated = time.Now().UTC().Format(time.RFC3339Nano)
	b.raw.Etag = etag(b.raw.Metageneration)
	b.policy.Etag = b.raw.Etag
}

// through copies by way of JSON.
func through(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}
