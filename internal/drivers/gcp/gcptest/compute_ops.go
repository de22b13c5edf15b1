package gcptest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	computev1 "google.golang.org/api/compute/v1"
)

// computeOp is an operation of Compute Engine.
type computeOp struct {
	raw     *computev1.Operation
	path    string // of what it works on
	due     time.Time
	succeed func() // nil: the effect was there from the start
	undo    func() // if it ends in error; nil: nothing is to be undone
}

// beginCompute starts an operation on path, which is busy until it ends.
func (s *Server) beginCompute(kind, path string, id uint64, succeed, undo func()) *computev1.Operation {
	scope := "global"
	if strings.HasPrefix(path, "regions/") {
		scope = strings.Join(strings.Split(path, "/")[:2], "/")
	}
	now := time.Now().UTC()
	name := fmt.Sprintf("operation-%d-%04x", now.UnixMilli(), s.next())
	op := &computeOp{path: path, due: time.Now().Add(s.delay), succeed: succeed, undo: undo, raw: &computev1.Operation{
		Kind: "compute#operation", Id: uint64(s.next()), Name: name, OperationType: kind, Status: "RUNNING",
		TargetLink: s.link(path), TargetId: id, InsertTime: now.Format(time.RFC3339Nano), StartTime: now.Format(time.RFC3339Nano),
		SelfLink: s.link(scope + "/operations/" + name),
	}}
	if region, ok := strings.CutPrefix(scope, "regions/"); ok {
		op.raw.Region = s.link("regions/" + region)
	}
	s.vpc.ops[name] = op
	answer := *op.raw
	return &answer
}

// busy reports whether an operation works on path.
func (s *Server) busy(path string) bool {
	for _, op := range s.vpc.ops {
		if op.path == path && op.raw.Status != "DONE" {
			return true
		}
	}
	return false
}

// settleCompute ends every operation that is due, oldest first.
func (s *Server) settleCompute(now time.Time) {
	var due []*computeOp
	for _, op := range s.vpc.ops {
		if op.raw.Status != "DONE" && !op.due.After(now) {
			due = append(due, op)
		}
	}
	slices.SortFunc(due, func(a, b *computeOp) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.raw.Id, b.raw.Id)) })
	for _, op := range due {
		op.raw.Status, op.raw.Progress, op.raw.EndTime = "DONE", 100, time.Now().UTC().Format(time.RFC3339Nano)
		var failure string
		if len(s.vpc.errors) > 0 {
			failure, s.vpc.errors = s.vpc.errors[0], s.vpc.errors[1:]
		}
		switch {
		case failure != "":
			op.raw.HttpErrorStatusCode, op.raw.HttpErrorMessage = http.StatusForbidden, "FORBIDDEN"
			op.raw.Error = &computev1.OperationError{Errors: []*computev1.OperationErrorErrors{{Code: "QUOTA_EXCEEDED", Message: failure}}}
			if op.undo != nil {
				op.undo()
			}
		case op.succeed != nil:
			op.succeed()
		}
	}
}

// ComputeError has the next operation of Compute Engine that ends do so in this error.
func (s *Server) ComputeError(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vpc.errors = append(s.vpc.errors, text)
}

func (s *Server) getComputeOp(r *http.Request, _ []byte) (any, error) {
	op := s.vpc.ops[r.PathValue("n")]
	if op == nil || !strings.HasSuffix(op.raw.SelfLink, strings.TrimPrefix(r.URL.Path, "/compute/v1")) {
		return nil, s.missing404("operations/" + r.PathValue("n"))
	}
	return op.raw, nil
}

// listComputeOps knows two filters: none, and that for what has not ended.
func (s *Server) listComputeOps(r *http.Request, _ []byte) (any, error) {
	filter := r.URL.Query().Get("filter")
	if filter != "" && filter != `status != "DONE"` {
		return nil, bad("Invalid value for field 'filter': '%s'.", filter)
	}
	items := map[string]computev1.OperationsScopedList{"global": {}}
	for _, name := range slices.Sorted(maps.Keys(s.vpc.ops)) {
		op := s.vpc.ops[name]
		if filter != "" && op.raw.Status == "DONE" {
			continue
		}
		scope := "global"
		if op.raw.Region != "" {
			scope = "regions/" + shortName(op.raw.Region)
		}
		in := items[scope]
		in.Operations = append(in.Operations, op.raw)
		items[scope] = in
	}
	return &computev1.OperationAggregatedList{Kind: "compute#operationAggregatedList", Items: items}, nil
}
