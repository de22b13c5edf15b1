package kubetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Request is one audited request.
type Request struct {
	User, Verb, URI, UserAgent string
	Resource, Namespace, Name  string
	Code                       int
	Received, Answered         time.Time
}

// String is VERB RESOURCE NAMESPACE/NAME CODE, for a test's message.
func (r Request) String() string {
	return fmt.Sprintf("%s %s %s/%s %d", r.Verb, r.Resource, r.Namespace, r.Name, r.Code)
}

// Write reports whether the request may have changed something: a mutating verb without dryRun=All.
func (r Request) Write() bool {
	switch r.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return !strings.Contains(r.URI, "dryRun=All") && !strings.HasSuffix(r.Resource, "reviews")
	}
	return false
}

// Requests returns what user asked of the API server since the mark (see Mark), oldest first. Watches appear when they end.
func (c *Cluster) Requests(user string, since int64) ([]Request, error) {
	f, err := os.Open(filepath.Join(c.dir, "audit.log"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(since, 0); err != nil {
		return nil, err
	}
	var requests []Request
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // the rest of a line that is being written comes with the next look
			return requests, nil
		}
		var e struct {
			Verb, RequestURI, UserAgent string
			User                        struct{ Username string }
			ObjectRef                   struct{ Resource, Namespace, Name string }
			ResponseStatus              struct{ Code int }
			Received                    time.Time `json:"requestReceivedTimestamp"`
			Answered                    time.Time `json:"stageTimestamp"`
		}
		if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
			return nil, err
		}
		if e.User.Username == user {
			requests = append(requests, Request{e.User.Username, e.Verb, e.RequestURI, e.UserAgent,
				e.ObjectRef.Resource, e.ObjectRef.Namespace, e.ObjectRef.Name, e.ResponseStatus.Code, e.Received, e.Answered})
		}
	}
}

// Writes returns those of Requests that may have changed something.
func (c *Cluster) Writes(user string, since int64) ([]Request, error) {
	requests, err := c.Requests(user, since)
	var writes []Request
	for _, r := range requests {
		if r.Write() {
			writes = append(writes, r)
		}
	}
	return writes, err
}

// Mark is the present end of the audit log, for Requests and Writes: after the last line that is written to its end.
func (c *Cluster) Mark() int64 {
	f, err := os.Open(filepath.Join(c.dir, "audit.log"))
	if err != nil {
		return 0
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0
	}
	tail := make([]byte, min(end, 1<<20))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil {
		return 0
	}
	return end - int64(len(tail)) + int64(bytes.LastIndexByte(tail, '\n')+1)
}
