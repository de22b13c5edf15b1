package gcptest

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// clusterOp is an operation of GKE's own kind.
type clusterOp struct {
	pb     *containerpb.Operation
	parent string // projects/P/locations/L
	due    time.Time
	finish func()
}

// begin starts an operation on a cluster that does finish when it ends, and fails if a test has asked for that.
func (c *container) begin(name string, on *cluster, kind containerpb.Operation_Type, during containerpb.Cluster_Status, finish func()) *containerpb.Operation {
	return c.beginOn(name, name, on, kind, during, func(failure string) {
		if failure == "" {
			finish()
		}
	})
}

// beginOn starts an operation on target, which is a cluster or in one. finish is told how it failed, if it did.
func (c *container) beginOn(target, name string, on *cluster, kind containerpb.Operation_Type, during containerpb.Cluster_Status, finish func(failure string)) *containerpb.Operation {
	s := c.s
	parent := path.Dir(path.Dir(name))
	before := on.pb.Status
	on.pb.Status = during
	op := &clusterOp{parent: parent, due: time.Now().Add(s.delay), pb: &containerpb.Operation{
		Name:          fmt.Sprintf("operation-%d-%04x", time.Now().UnixMilli(), s.next()),
		OperationType: kind,
		Status:        containerpb.Operation_RUNNING,
		Location:      path.Base(parent),
		StartTime:     time.Now().UTC().Format(time.RFC3339Nano),
		TargetLink:    fmt.Sprintf("https://container.googleapis.com/v1/projects/%d/%s", s.number, strings.TrimPrefix(target, "projects/"+s.project+"/")),
	}}
	op.pb.SelfLink = fmt.Sprintf("https://container.googleapis.com/v1/%s/operations/%s", parent, op.pb.Name)
	var failure string
	if len(s.opErrors) > 0 {
		failure, s.opErrors = s.opErrors[0], s.opErrors[1:]
	}
	op.finish = func() {
		on.op = nil
		op.pb.Status, op.pb.EndTime = containerpb.Operation_DONE, time.Now().UTC().Format(time.RFC3339Nano)
		defer s.touch(on.pb)
		defer func() { finish(failure) }()
		if failure != "" {
			op.pb.Error = &rpcstatus.Status{Code: int32(codes.ResourceExhausted), Message: failure}
			on.pb.Status = before
			if during == containerpb.Cluster_PROVISIONING {
				on.pb.Status, on.pb.StatusMessage = containerpb.Cluster_ERROR, failure
			}
			return
		}
		on.pb.Status = containerpb.Cluster_RUNNING
	}
	on.op = op
	s.clusterOp[op.pb.Name] = op
	s.touch(on.pb)
	return proto.CloneOf(op.pb)
}

// OperationError has the next operation on a cluster be accepted and end in this error. Called twice it is the next two.
func (s *Server) OperationError(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opErrors = append(s.opErrors, text)
}

// StartUpgrade begins an operation of Google's own on a cluster, by its short name; it ends as others do.
func (s *Server) StartUpgrade(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(time.Now())
	c := &container{s: s}
	for id, on := range s.clusters {
		if path.Base(id) == name {
			c.begin(id, on, containerpb.Operation_UPGRADE_MASTER, containerpb.Cluster_RECONCILING, func() {
				on.pb.CurrentMasterVersion = "1.35.2-gke.2000000"
			})
		}
	}
}

// settle ends every operation that is due, oldest first.
func (s *Server) settle(now time.Time) {
	var due []*clusterOp
	for _, op := range s.clusterOp {
		if op.pb.Status != containerpb.Operation_DONE && !op.due.After(now) {
			due = append(due, op)
		}
	}
	slices.SortFunc(due, func(a, b *clusterOp) int { return cmp.Or(a.due.Compare(b.due), strings.Compare(a.pb.Name, b.pb.Name)) })
	for _, op := range due {
		op.finish()
	}
	s.settleRepositories(now)
	s.settleCompute(now)
}

// touch gives a cluster new tokens, as any change does.
func (s *Server) touch(pb *containerpb.Cluster) {
	pb.Etag = fmt.Sprintf("etag-%d", s.next())
	pb.LabelFingerprint = fmt.Sprintf("%08x", hashOf(pb.ResourceLabels))
	if pb.MaintenancePolicy == nil {
		pb.MaintenancePolicy = &containerpb.MaintenancePolicy{}
	}
	pb.MaintenancePolicy.ResourceVersion = fmt.Sprintf("%08x", hashOf(maintenanceText(pb.MaintenancePolicy)))
}

func (c *container) ListOperations(ctx context.Context, q *containerpb.ListOperationsRequest) (*containerpb.ListOperationsResponse, error) {
	a := &containerpb.ListOperationsResponse{}
	err := c.call(ctx, "ListOperations", "", false, func() error {
		if err := c.s.inProject(q.GetParent()); err != nil {
			return err
		}
		for _, op := range c.s.clusterOp {
			if l := path.Base(q.GetParent()); l == "-" || l == op.pb.Location {
				a.Operations = append(a.Operations, proto.CloneOf(op.pb))
			}
		}
		slices.SortFunc(a.Operations, func(x, y *containerpb.Operation) int { return strings.Compare(y.StartTime, x.StartTime) })
		return nil
	})
	return a, err
}

func (c *container) GetOperation(ctx context.Context, q *containerpb.GetOperationRequest) (*containerpb.Operation, error) {
	var a *containerpb.Operation
	err := c.call(ctx, "GetOperation", q.GetName(), false, func() error {
		if err := c.s.inProject(q.GetName()); err != nil {
			return err
		}
		op, ok := c.s.clusterOp[path.Base(q.GetName())]
		if !ok || op.parent != path.Dir(path.Dir(q.GetName())) {
			return status.Errorf(codes.NotFound, "Not found: %s.", q.GetName())
		}
		a = proto.CloneOf(op.pb)
		return nil
	})
	return a, err
}
