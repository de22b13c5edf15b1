package network

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/compute/v1"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Paths of what an operation works on, as the ends of its links. The first two words are its location.
func networkPath(name string) string        { return "global/networks/" + name }
func subnetPath(region, name string) string { return "regions/" + region + "/subnetworks/" + name }
func routerPath(region, name string) string { return "regions/" + region + "/routers/" + name }

// paths are those of a live network and of all that is or should be in it.
func (s Spec) paths(want Spec) []string {
	all := []string{networkPath(s.Name)}
	for at := range s.seen.subnets {
		region, name, _ := strings.Cut(at, "/")
		all = append(all, subnetPath(region, name))
	}
	regions := want.regions()
	for region := range s.seen.routers {
		regions[region] = true
	}
	for _, n := range want.Subnets {
		all = append(all, subnetPath(n.Region, n.Name))
	}
	for region := range regions {
		all = append(all, routerPath(region, s.router()))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// moving is what is being done to a network and to what is in it, and how what this process began has ended, where that was badly. The
// operations are asked for only if there is a difference, which they may explain, or one of them is ours.
func (d *Driver) moving(ctx context.Context, want, s Spec, differs bool) (now motion, failed []string, err error) {
	paths := s.paths(want)
	begun := map[string]gcp.Creation{}
	for _, p := range paths {
		if c, ok := d.creations.Begun(p, locationOf(p)); ok {
			begun[p] = c
		}
	}
	if !differs && len(begun) == 0 {
		for _, p := range paths {
			d.creations.Forget(p) // whatever failed once is as it should be
		}
		return now, nil, nil
	}
	under, err := d.underWay(ctx)
	if err != nil {
		return now, nil, err
	}
	for _, p := range paths {
		if op := under[p]; op != nil {
			now.texts = append(now.texts, doing(op))
			now.making = now.making || op.OperationType == "insert"
			continue
		}
		if c, ok := begun[p]; ok {
			if err := d.ended(ctx, p, c); err != nil {
				return now, failed, err
			}
		}
		if text := d.creations.Failure(p); text != "" && differs {
			failed = append(failed, fmt.Sprintf("%s ended in error: %s", p, text))
		}
	}
	return now, failed, nil
}

// motion is operations under way.
type motion struct {
	texts  []string
	making bool // one of them makes a part, which shows before it is ready
}

// underWay is the operations of the project that have not ended, by what they work on.
func (d *Driver) underWay(ctx context.Context) (map[string]*compute.Operation, error) {
	under := map[string]*compute.Operation{}
	err := reading(ctx, "globalOperations.aggregatedList", func(ctx context.Context) error {
		list := d.service.GlobalOperations.AggregatedList(d.project).Filter(`status != "DONE"`)
		return list.Pages(ctx, func(page *compute.OperationAggregatedList) error {
			for _, in := range page.Items {
				for _, op := range in.Operations {
					if p := target(op); p != "" && op.Status != done {
						under[p] = op
					}
				}
			}
			return nil
		})
	})
	return under, err
}

const done = "DONE"

// target is the path of what an operation works on.
func target(op *compute.Operation) string {
	_, p, _ := strings.Cut(op.TargetLink, "/projects/")
	_, p, _ = strings.Cut(p, "/") // the project may be written as its number
	return p
}

// ended notes how an operation of ours ended that is not under way.
func (d *Driver) ended(ctx context.Context, p string, c gcp.Creation) error {
	op, err := d.operation(ctx, p, c.Operation)
	switch {
	case err != nil:
		return err
	case op != nil && op.Status != done:
		return nil // begun since the listing
	case op != nil && op.Error != nil:
		d.creations.Fail(p, failure(op))
	default:
		d.creations.Forget(p)
	}
	return nil
}

// operation reads one that works on p; nil without an error: Google has forgotten it.
func (d *Driver) operation(ctx context.Context, p, name string) (op *compute.Operation, err error) {
	err = reading(ctx, "operations.get", func(ctx context.Context) (err error) {
		if location := locationOf(p); location == "global" {
			op, err = d.service.GlobalOperations.Get(d.project, name).Context(ctx).Do()
		} else {
			op, err = d.service.RegionOperations.Get(d.project, path.Base(location), name).Context(ctx).Do()
		}
		return err
	})
	if gcp.IsNotFound(err) {
		return nil, nil
	}
	return op, err
}

// locationOf is global or regions/REGION.
func locationOf(p string) string {
	if rest, regional := strings.CutPrefix(p, "regions/"); regional {
		region, _, _ := strings.Cut(rest, "/")
		return "regions/" + region
	}
	return "global"
}

// begun is what is known of an absent network whose creation this process has begun: under way, or the notice that it failed.
func (d *Driver) begun(ctx context.Context, w Spec) ([]resource.Live[Spec], []string) {
	p := networkPath(w.Name)
	if c, ok := d.creations.Begun(p, locationOf(p)); ok {
		op, err := d.operation(ctx, p, c.Operation)
		switch {
		case err != nil:
			return []resource.Live[Spec]{{Spec: Spec{Name: w.Name}, State: resource.Unknown, Detail: err.Error()}}, nil
		case op != nil && op.Status != done:
			return []resource.Live[Spec]{{Spec: w, State: resource.Pending, Locked: true, Owned: true, Detail: doing(op)}}, nil
		case op != nil && op.Error != nil:
			d.creations.Fail(p, failure(op))
		default:
			d.creations.Forget(p) // it was there, and somebody has removed it since
		}
	}
	if text := d.creations.Failure(p); text != "" {
		return nil, []string{fmt.Sprintf("%s: its creation ended in error: %s", w.Ref(), text)}
	}
	return nil, nil
}

// verbs are the types of operations in words.
var verbs = map[string]string{"insert": "creating", "patch": "changing", "update": "changing", "delete": "deleting"}

// doing says what an operation does: "creating subnetworks/nodes: operation-123 since 12:04".
func doing(op *compute.Operation) string {
	verb, ok := verbs[op.OperationType]
	if !ok {
		verb = op.OperationType + " of"
	}
	p := target(op)
	text := fmt.Sprintf("%s %s: %s", verb, path.Base(path.Dir(p))+"/"+path.Base(p), op.Name)
	if t, err := time.Parse(time.RFC3339, op.InsertTime); err == nil {
		text += " since " + gcp.Clock(t)
	}
	return text
}

// failure is Google's text of why an operation ended in error.
func failure(op *compute.Operation) string {
	var texts []string
	if op.Error != nil {
		for _, e := range op.Error.Errors {
			if e.Message == "" {
				e.Message = e.Code
			}
			texts = append(texts, e.Message)
		}
	}
	if len(texts) == 0 {
		texts = append(texts, op.HttpErrorMessage)
	}
	return joined(texts)
}

func joined(texts []string) string { return strings.Join(texts, "; ") }
