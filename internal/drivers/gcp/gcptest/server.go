// Package gcptest is Google's services on the loopback interface, for tests: the real client libraries speak to them over the real
// protocols. They keep what they are given, fill in what Google fills in, take their time, and refuse what Google refuses. They
// know nothing of recsysd and check no permissions beyond those that a test forbids.
package gcptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Options are the facts of the one project that a Server has.
type Options struct {
	Project string // default: acme
	Number  int64  // of the project; default: 123456789012
}

// Server is all the services. It is safe for concurrent use; its switches may be turned at any time.
type Server struct {
	project string
	number  int64

	grpc     *grpc.Server
	web      *http.Server
	grpcAddr string
	webAddr  string
	serving  sync.WaitGroup
	stop     context.CancelFunc
	stopped  context.Context

	mu     sync.Mutex // guards everything below, and the state of every service
	delay  time.Duration
	faults []*fault
	calls  []Call
	hook   func(Call, Phase)
	token  string
	seq    int // of operations, etags and ids

	clusters   map[string]*cluster         // by projects/P/locations/L/clusters/C
	clusterOp  map[string]*clusterOp       // by operation id
	repos      map[string]*repository      // by projects/P/locations/L/repositories/R
	repoOps    map[string]*repoOp          // by projects/P/locations/L/operations/O
	endpoint   string                      // that every cluster reports
	caPEM      []byte                      // of that endpoint
	repoErrors []string                    // how the next creations of repositories end
	missing    []string                    // locations that listings of clusters leave out
	opErrors   []string                    // how the next operations on clusters end
	buckets    map[string]*bucket          // by name: those of other projects too
	secrets    map[string][]*secretVersion // of Secret Manager, by name; the first version first
	pageSize   int                         // of listings of buckets and objects; 0: Google's own
	accounts   map[string]*account         // by e-mail
	accountLag time.Duration               // until a new account is known everywhere
	disabled   map[string]bool             // services that are off, by their DNS names
	denied     map[string]bool             // permissions that the caller lacks: P on the project, BUCKET:P on a bucket
	pool       bool                        // the project has a workload identity pool: since the first cluster runs, for ever

	vpc *vpc // Compute Engine
}

// New starts the services on ports of their own. The caller closes it.
func New(o Options) (*Server, error) {
	if o.Project == "" {
		o.Project = "acme"
	}
	if o.Number == 0 {
		o.Number = 123456789012
	}
	s := &Server{
		project: o.Project, number: o.Number,
		clusters: map[string]*cluster{}, clusterOp: map[string]*clusterOp{},
		repos: map[string]*repository{}, repoOps: map[string]*repoOp{},
		buckets:  map[string]*bucket{},
		disabled: map[string]bool{}, denied: map[string]bool{},
		secrets:  map[string][]*secretVersion{},
		accounts: map[string]*account{},
		endpoint: "192.0.2.1", vpc: newVPC(),
	}
	var err error
	if s.caPEM, err = newCA(); err != nil {
		return nil, fmt.Errorf("gcptest: %w", err)
	}
	s.newAccount(s.defaultNodes())
	s.stopped, s.stop = context.WithCancel(context.Background())

	rpc, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("gcptest: %w", err)
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("gcptest: %w", errors.Join(err, rpc.Close()))
	}
	s.grpcAddr, s.webAddr = rpc.Addr().String(), web.Addr().String()

	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.authorizeGRPC))
	mux := http.NewServeMux()
	s.serveContainer(mux)
	s.serveArtifacts(mux)
	s.serveStorage(mux)
	s.serveProjects(mux)
	s.serveCompute(mux)
	s.servePermissions(mux)
	s.serveServices(mux)
	s.serveSecrets()
	s.serveAccounts(mux)
	s.web = &http.Server{Handler: s.authorizeHTTP(mux), ReadHeaderTimeout: 10 * time.Second}

	// Both return when Close is called; there is nobody to tell of an error before that.
	s.serving.Go(func() { _ = s.grpc.Serve(rpc) })
	s.serving.Go(func() { _ = s.web.Serve(web) })
	return s, nil
}

// Close ends every call and stops the services.
func (s *Server) Close() error {
	s.stop()
	s.grpc.Stop()
	err := s.web.Close()
	s.serving.Wait()
	return err
}

// Project is the id of the one project.
func (s *Server) Project() string { return s.project }

// Number is the number of the one project.
func (s *Server) Number() int64 { return s.number }

// Endpoints is what a configuration's gcp.endpoints says in order to reach the services; container and artifactregistry over gRPC.
func (s *Server) Endpoints() map[string]string {
	return map[string]string{
		gcp.Container:        s.grpcAddr,
		gcp.ArtifactRegistry: s.grpcAddr,
		gcp.Storage:          "http://" + s.webAddr + "/storage/v1/",
		gcp.ResourceManager:  "http://" + s.webAddr + "/",
		gcp.Compute:          "http://" + s.webAddr + "/compute/v1/",
		gcp.ServiceUsage:     "http://" + s.webAddr + "/",
		gcp.SecretManager:    s.grpcAddr,
		gcp.IAM:              "http://" + s.webAddr + "/iam/",
	}
}

// RESTEndpoints is the same with container and artifactregistry over REST.
func (s *Server) RESTEndpoints() map[string]string {
	e := s.Endpoints()
	e[gcp.Container] = "http://" + s.webAddr + "/" + gcp.Container
	e[gcp.ArtifactRegistry] = "http://" + s.webAddr + "/" + gcp.ArtifactRegistry
	return e
}

// Config is a client's configuration for the services over gRPC.
func (s *Server) Config() gcp.Config {
	return gcp.Config{Project: s.project, Endpoints: s.Endpoints(), Insecure: true}
}

// RESTConfig is the same over REST.
func (s *Server) RESTConfig() gcp.Config {
	return gcp.Config{Project: s.project, Endpoints: s.RESTEndpoints(), Insecure: true}
}

// Phase says when a hook is called.
type Phase int

const (
	Before Phase = iota // the call has arrived and done nothing yet
	After               // its effect is there and its answer is not sent yet
)

// Call is one request, as the server saw it.
type Call struct {
	Service string // container, artifactregistry, storage, resourcemanager, iam
	Method  string // the service's own name of it: CreateCluster, storage.buckets.insert
	Target  string // what it was about, by its short name; "" for a listing
	Write   bool   // asks for a change
	Code    codes.Code
}

func (c Call) String() string {
	return fmt.Sprintf("%s %s %s: %s", c.Service, c.Method, c.Target, c.Code)
}

// OnCall has hook called twice for every call, in the goroutine that serves it and without a lock held. The hook may block: the
// client then waits. nil removes it.
func (s *Server) OnCall(hook func(Call, Phase)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// serve is how every service answers every call: it records it, applies faults and hooks, and runs act with the lock held
// after what time has brought has been brought about.
func (s *Server) serve(ctx context.Context, c Call, act func() error) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		hook(c, Before)
	}
	f := s.faultFor(c)
	if f != nil && f.hang {
		return s.record(c, s.hang(ctx))
	}
	if f != nil && !f.lost {
		return s.record(c, f.err)
	}

	s.mu.Lock()
	s.settle(time.Now())
	err := act()
	s.mu.Unlock()
	if hook != nil && err == nil {
		hook(c, After)
	}
	err = s.record(c, err)
	if err == nil && f != nil {
		return f.err // the effect is there, the answer is lost
	}
	return err
}

// hang answers when the client or the server gives up.
func (s *Server) hang(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-s.stopped.Done():
		return status.Error(codes.Unavailable, "the server is stopping")
	}
}

func (s *Server) record(c Call, err error) error {
	c.Code = status.Code(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	return err
}

// Calls are all the calls since the last Forget, in the order of their answers.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Writes are those of Calls that asked for a change and were not refused.
func (s *Server) Writes() []Call {
	return slices.DeleteFunc(s.Calls(), func(c Call) bool { return !c.Write || c.Code != codes.OK })
}

// Received is how many calls asked for a change since the last Forget, those that were refused included.
func (s *Server) Received() int {
	n := 0
	for _, c := range s.Calls() {
		if c.Write {
			n++
		}
	}
	return n
}

// Count is how many calls of a method there were since the last Forget.
func (s *Server) Count(method string) int {
	n := 0
	for _, c := range s.Calls() {
		if c.Method == method {
			n++
		}
	}
	return n
}

// Forget empties the record of calls.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// SetDelay is how long an operation takes that begins from now on. The default is no time at all.
func (s *Server) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Never is a delay after which nothing ends by itself: only Settle ends it.
const Never = 1000 * time.Hour

// Settle ends every operation that is under way.
func (s *Server) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now().Add(2 * Never))
}

// next is a number that no other operation, etag or id has.
func (s *Server) next() int {
	s.seq++
	return s.seq
}
