package cluster

import (
	"context"
	"fmt"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/drivers/gcp/gke"
	"recsysd.dev/recsysd/internal/resource"
)

// doing is what a status means for people.
var doing = map[containerpb.Cluster_Status]string{
	containerpb.Cluster_PROVISIONING: "creating",
	containerpb.Cluster_STOPPING:     "deleting",
	containerpb.Cluster_RECONCILING:  "updating",
	containerpb.Cluster_ERROR:        "in error",
	containerpb.Cluster_DEGRADED:     "degraded",
}

// detail says what a cluster that is not simply running is doing or suffers from: "creating: operation-123 since 12:04".
func detail(ctx context.Context, pb *containerpb.Cluster, moving *gke.Operations) string {
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
	op, err := moving.Latest(ctx, pb.GetLocation(), "clusters/"+pb.GetName())
	if err != nil {
		facts = append(facts, "its operation is not known: "+err.Error())
	}
	if op != nil {
		text := gke.Text(op, pb.GetStatus() == containerpb.Cluster_RECONCILING)
		if text != "" && (len(facts) == 0 || !strings.Contains(facts[0], op.GetError().GetMessage()) || op.GetError() == nil) {
			facts = append(facts, text)
		}
	}
	if len(facts) == 0 {
		return word
	}
	return word + ": " + strings.Join(strings.Fields(strings.Join(facts, "; ")), " ")
}

// begun is what is known of an absent cluster whose creation this process has begun: under way, or the notice that it failed.
func (d *Driver) begun(ctx context.Context, w Spec) (*resource.Live[Spec], string) {
	c, ok := d.creations.Begun(w.Name, w.Location)
	if ok {
		op, err := d.service.API.GetOperation(ctx, &containerpb.GetOperationRequest{Name: c.Operation}, gcp.Read()...)
		switch {
		case err != nil && !gcp.IsNotFound(err):
			return &resource.Live[Spec]{
				Spec: Spec{Name: w.Name, Location: w.Location}, State: resource.Unknown, Detail: gcp.Explain("GetOperation", err).Error(),
			}, ""
		case err == nil && gke.Running(op):
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
