package gcptest

import (
	"fmt"
	"time"

	storagev1 "google.golang.org/api/storage/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// EditBucket changes a bucket as somebody else would; what guards writes changes with it.
func (s *Server) EditBucket(name string, edit func(*storagev1.Bucket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.buckets[name]; ok {
		edit(b.raw)
		b.touch()
		s.edited(gcp.Storage, "storage.buckets.update", "projects/_/buckets/"+name, "")
	}
}

// Bucket is a copy of a bucket as it is now; nil if there is none.
func (s *Server) Bucket(name string) *storagev1.Bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[name]
	if !ok {
		return nil
	}
	c := &storagev1.Bucket{}
	if err := through(b.raw, c); err != nil {
		panic(err) // it was made from JSON
	}
	return c
}

// AddForeignBucket puts a bucket of another project there; readable says whether its owner lets us look.
func (s *Server) AddForeignBucket(name string, number uint64, readable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now().UTC()
	raw := &storagev1.Bucket{Name: name, ProjectNumber: number, TimeCreated: now.Format(time.RFC3339Nano)}
	fillBucket(raw, now)
	b := &bucket{raw: raw, policy: newPolicy(fmt.Sprint(number)), readable: readable}
	b.touch()
	s.buckets[name] = b
}

// SetPageSize limits listings of buckets and objects; 0 is Google's 1000.
func (s *Server) SetPageSize(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pageSize = n
}

// RemoveBucket takes a bucket away, whatever is in it.
func (s *Server) RemoveBucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.buckets, name)
	s.edited(gcp.Storage, "storage.buckets.delete", "projects/_/buckets/"+name, "")
}
