package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// operations are GKE's operations in the project, read once per look and only if somebody asks.
type operations struct {
	driver *Driver
	read   bool
	all    []*containerpb.Operation
	err    error
}

func (o *operations) list(ctx context.Context) ([]*containerpb.Operation, error) {
	if !o.read {
		o.read = true
		answer, err := o.driver.client.ListOperations(ctx, &containerpb.ListOperationsRequest{Parent: o.driver.parent("-")}, gcp.Read()...)
		o.all, o.err = answer.GetOperations(), gcp.Explain("ListOperations", err)
	}
	return o.all, o.err
}

// doing is what a status means for people.
var doing = map[containerpb.Cluster_Status]string{
	containerpb.Cluster_PROVISIONING: "creating",
	containerpb.Cluster_STOPPING:     "deleting",
	containerpb.Cluster_RECONCILING:  "updating",
	containerpb.Cluster_ERROR:        "in error",
	containerpb.Cluster_DEGRADED:     "degraded",
}

// detail says what a cluster that is not simply running is doing or suffers from: "creating: operation-123 since 12:04".
func (o *operations) detail(ctx context.Context, pb *containerpb.Cluster) string {
	word, ok := doing[pb.GetStatus()]
	if !ok {
		return "status " + pb.GetStatus().String()
	}
	var facts []string
	if m := pb.GetStatusMessage(); m != "" {
		facts = append(facts, m)
	}
	for _, c := range pb.GetConditions() {
		if m := c.GetMessage(); m != "" && m != pb.GetStatusMessage() {
			facts = append(facts, m)
		}
	}
	all, err := o.list(ctx)
	if err != nil {
		facts = append(facts, "its operation is not known: "+err.Error())
	}
	if op := latest(all, pb); op != nil {
		if text := operationText(op, pb.GetStatus()); text != "" && (len(facts) == 0 || !strings.Contains(facts[0], op.GetError().GetMessage()) || op.GetError() == nil) {
			facts = append(facts, text)
		}
	}
	if len(facts) == 0 {
		return word
	}
	return word + ": " + strings.Join(strings.Fields(strings.Join(facts, "; ")), " ")
}

// latest is the operation on pb that is under way, else the one that began last.
func latest(all []*containerpb.Operation, pb *containerpb.Cluster) *containerpb.Operation {
	var found *containerpb.Operation
	for _, op := range all {
		if op.GetLocation() != pb.GetLocation() || !concerns(op.GetTargetLink(), pb.GetName()) {
			continue
		}
		switch {
		case found == nil, running(op) && !running(found), running(op) == running(found) && began(op).After(began(found)):
			found = op
		}
	}
	return found
}

// concerns reports whether a link leads to a cluster or to something in it.
func concerns(link, cluster string) bool {
	_, rest, ok := strings.Cut(link, "/clusters/")
	return ok && (rest == cluster || strings.HasPrefix(rest, cluster+"/"))
}

func running(op *containerpb.Operation) bool { return op.GetStatus() != containerpb.Operation_DONE }

// began is the zero time if Google gives none that can be read.
func began(op *containerpb.Operation) time.Time {
	t, err := time.Parse(time.RFC3339Nano, op.GetStartTime())
	if err != nil {
		return time.Time{}
	}
	return t
}

func operationText(op *containerpb.Operation, status containerpb.Cluster_Status) string {
	if !running(op) {
		if op.GetError() == nil {
			return ""
		}
		return fmt.Sprintf("%s ended in error: %s", op.GetName(), op.GetError().GetMessage())
	}
	text := op.GetName()
	// Google's own operations are worth telling apart from ours.
	if kind := strings.ToLower(strings.ReplaceAll(op.GetOperationType().String(), "_", " ")); status == containerpb.Cluster_RECONCILING {
		text = kind + ", " + text
	}
	if t := began(op); !t.IsZero() {
		text += " since " + gcp.Clock(t)
	}
	return text
}

// begun is what is known of an absent cluster whose creation this process has begun: under way, or the notice that it failed.
func (d *Driver) begun(ctx context.Context, w Spec) (*resource.Live[Spec], string) {
	c, ok := d.creations.Begun(w.Name, w.Location)
	if ok {
		op, err := d.client.GetOperation(ctx, &containerpb.GetOperationRequest{Name: c.Operation}, gcp.Read()...)
		switch {
		case err != nil && !gcp.IsNotFound(err):
			return &resource.Live[Spec]{
				Spec: Spec{Name: w.Name, Location: w.Location}, State: resource.Unknown, Detail: gcp.Explain("GetOperation", err).Error(),
			}, ""
		case err == nil && running(op):
			return &resource.Live[Spec]{
				Spec: w, State: resource.Pending, Locked: true, Owned: true,
				Detail: fmt.Sprintf("creating: %s since %s", op.GetName(), gcp.Clock(c.Began)),
			}, ""
		case err != nil || op.GetError() == nil:
			d.creations.Forget(w.Name) // it was there, and somebody has removed it since
			return nil, ""
		}
		d.creations.Fail(w.Name, op.GetError().GetMessage())
	}
	if failure := d.creations.Failure(w.Name); failure != "" {
		return nil, fmt.Sprintf("%s: its creation ended in error: %s", w.Ref(), failure)
	}
	return nil, ""
}
