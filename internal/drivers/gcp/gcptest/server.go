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
	"sync"
	"time"

	"google.golang.org/api/cloudbilling/v1"
	"google.golang.org/grpc"

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

	trail    []auditEntry  // the Admin Activity log, oldest first
	hand     string        // who edits what is here behind the services; "": Hand
	logDelay time.Duration // until an entry of the log can be read

	vpc *vpc // Compute Engine

	skus    map[string][]*cloudbilling.Sku // of the catalog, by service
	skuPage int                            // SKUs in an answer at most; 0: Google's own bound
	samples []sample                       // of Cloud Monitoring
	apiKey  string                         // that the catalog asks for
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
		endpoint: "192.0.2.1", vpc: newVPC(), skus: Catalog(),
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
	s.serveBilling(mux)
	s.serveLogging(mux)
	s.serveMonitoring(mux)
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
		gcp.Billing:          "http://" + s.webAddr + "/billing/",
		gcp.Logging:          "http://" + s.webAddr + "/logging/",
		gcp.Monitoring:       "http://" + s.webAddr + "/monitoring/",
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
