package gke

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Operations are GKE's operations in the project, read once per look and only if somebody asks. It is for one look of one kind.
type Operations struct {
	service *Service
	reader  string
	read    bool
	answer  operations
}

// operations is what one ListOperations came to.
type operations struct {
	all []*containerpb.Operation
	err error
}

// Operations is for one look of the kind named reader.
func (s *Service) Operations(reader string) *Operations {
	return &Operations{service: s, reader: reader}
}

func (o *Operations) list(ctx context.Context) ([]*containerpb.Operation, error) {
	if !o.read {
		o.read = true
		var err error
		o.answer, err = o.service.operations.get(ctx, o.reader, func(ctx context.Context) operations {
			answer, err := o.service.API.ListOperations(ctx, &containerpb.ListOperationsRequest{Parent: o.service.Parent("-")}, gcp.Read()...)
			return operations{answer.GetOperations(), gcp.Explain("ListOperations", err)}
		})
		if err != nil {
			o.answer.err = gcp.Explain("ListOperations", err)
		}
	}
	return o.answer.all, o.answer.err
}

// Latest is the operation on target (clusters/C, or clusters/C/nodePools/P), or on something in it, that is under way, else the one
// that began last; nil if there is none.
func (o *Operations) Latest(ctx context.Context, location, target string) (*containerpb.Operation, error) {
	all, err := o.list(ctx)
	var found *containerpb.Operation
	for _, op := range all {
		if op.GetLocation() != location || !concerns(op.GetTargetLink(), target) {
			continue
		}
		switch {
		case found == nil, Running(op) && !Running(found), Running(op) == Running(found) && began(op).After(began(found)):
			found = op
		}
	}
	return found, err
}

// concerns reports whether a link leads to target or to something in it.
func concerns(link, target string) bool {
	_, rest, ok := strings.Cut(link+"/", "/"+target+"/")
	return ok && (rest == "" || strings.Contains(rest, "/"))
}

// Running reports whether an operation has not ended.
func Running(op *containerpb.Operation) bool { return op.GetStatus() != containerpb.Operation_DONE }

// began is the zero time if Google gives none that can be read.
func began(op *containerpb.Operation) time.Time {
	t, err := time.Parse(time.RFC3339Nano, op.GetStartTime())
	if err != nil {
		return time.Time{}
	}
	return t
}

// Text is an operation for people: "operation-1 since 12:04", "operation-1 ended in error: …"; "" if it ended well. With kind it says
// what it does, since Google's own are worth telling apart from ours.
func Text(op *containerpb.Operation, kind bool) string {
	if !Running(op) {
		if op.GetError() == nil {
			return ""
		}
		return op.GetName() + " ended in error: " + op.GetError().GetMessage()
	}
	text := op.GetName()
	if kind {
		text = strings.ToLower(strings.ReplaceAll(op.GetOperationType().String(), "_", " ")) + ", " + text
	}
	if t := began(op); !t.IsZero() {
		text += " since " + gcp.Clock(t)
	}
	return text
}
