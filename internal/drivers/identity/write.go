package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	iamv1 "google.golang.org/api/iam/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

// Create makes the account, then lets the workloads act as it. If only the second fails, the account is there and the error says
// what is left.
func (d *Driver) Create(ctx context.Context, want Spec) error {
	_, err := d.service.Create("projects/"+d.project, &iamv1.CreateServiceAccountRequest{
		AccountId:      want.Name,
		ServiceAccount: &iamv1.ServiceAccount{DisplayName: want.DisplayName, Description: marks{}.wanted(want).String()},
	}).Context(ctx).Do()
	if c := gcp.Code(err); c == codes.AlreadyExists || c == codes.Aborted {
		return fmt.Errorf("it exists already and will be looked at again: %w", err)
	}
	if err != nil {
		return gcp.Explain("iam.serviceAccounts.create", err)
	}
	d.mu.Lock()
	d.made[d.email(want)], d.own[d.email(want)] = time.Now(), true
	d.mu.Unlock()
	err = d.setUsers(ctx, want, "")
	if gcp.IsNotFound(err) {
		return fmt.Errorf("the account is made, and who may act as it is written when Google knows it everywhere: %w", resource.ErrUnavailable)
	}
	return err
}

// Update changes what stands in drift. Who may act as the account comes before its marks: the old mark of a namespace is what tells
// that those of the old one were let in by the stack.
func (d *Driver) Update(ctx context.Context, want, live Spec, drift []resource.Change) error {
	now, err := d.again(ctx, live)
	if err != nil {
		return err
	}
	if now == nil {
		return errStale
	}
	m := parseMarks(now.Description)
	old, users, enable := m, false, false
	patch := &iamv1.ServiceAccount{DisplayName: now.DisplayName}
	for _, c := range drift {
		switch {
		case strings.HasPrefix(c.Field, fieldUsers):
			users = true
		case c.Field == fieldDisabled:
			enable = true
		case c.Field == fieldDisplayName:
			patch.DisplayName = want.DisplayName
		case c.Field == fieldStack:
			m.stack = want.Stack
		case c.Field == fieldNamespace:
			m.namespace = want.Namespace
		case c.Field == fieldProtect:
			m.protect = want.Protect
		case c.Field == resource.FieldUnprotected:
			m.unprotected = c.Want
		default:
			return gcp.Reject(fmt.Errorf("%s cannot be changed in place", c.Field))
		}
	}
	var usersErr error
	if users {
		former := ""
		if old.stack == d.stack {
			former = old.namespace
		}
		if usersErr = d.setUsers(ctx, want, former); usersErr != nil {
			m.namespace = old.namespace
		}
	}
	if m != old || patch.DisplayName != now.DisplayName {
		patch.Description = m.String()
		_, err := d.service.Patch(d.name(want), &iamv1.PatchServiceAccountRequest{
			ServiceAccount: patch, UpdateMask: "displayName,description",
		}).Context(ctx).Do()
		if err != nil {
			return errors.Join(usersErr, gcp.Explain("iam.serviceAccounts.patch", err))
		}
		d.settled(want, m.stack == d.stack)
	}
	if enable {
		if _, err := d.service.Enable(d.name(want), &iamv1.EnableServiceAccountRequest{}).Context(ctx).Do(); err != nil {
			return errors.Join(usersErr, gcp.Explain("iam.serviceAccounts.enable", err))
		}
	}
	return usersErr
}

// Delete deletes the account if it is still the one that was seen, and ours. Google gives it back for 30 days, by its unique id.
func (d *Driver) Delete(ctx context.Context, live Spec, _ bool) error {
	now, err := d.again(ctx, live)
	if err != nil {
		return err
	}
	if now != nil {
		if parseMarks(now.Description).stack != d.stack {
			return fmt.Errorf("%s is not ours; it is left alone", now.Email)
		}
		_, err := d.service.Delete(d.name(live)).Context(ctx).Do()
		if err != nil && !gcp.IsNotFound(err) {
			return gcp.Explain("iam.serviceAccounts.delete", err)
		}
	}
	d.settled(live, false)
	return nil
}

var errStale = errors.New("the service account has changed since it was looked at")

// again reads an account once more before it is written: Google guards such a write with nothing. nil without an error: it is gone.
func (d *Driver) again(ctx context.Context, live Spec) (*iamv1.ServiceAccount, error) {
	if live.seen == nil {
		return nil, errors.New("the service account has not been looked at")
	}
	now, err := d.get(ctx, live)
	if gcp.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if *live.seen != (seen{now.UniqueId, now.DisplayName, now.Description, now.Disabled}) {
		return nil, errStale
	}
	return now, nil
}
