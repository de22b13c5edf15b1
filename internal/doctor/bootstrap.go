package doctor

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// Bootstrap is what a project must be given before the daemon can keep a stack in it.
type Bootstrap struct {
	Stack, Project string
	Account        string // id of the daemon's service account
	Needs          Needs
	Others         []ProjectRole
}

// ProjectRole is a role on the project that somebody in the stack asks for, and that the daemon has no right to give.
type ProjectRole struct{ Member, Role string }

var accountID = regexp.MustCompile(`^[a-z]([-a-z0-9]{4,28}[a-z0-9])$`)

// Script is a shell script of gcloud commands. It may be run again: what is there already stays. The daemon gets one role of its own,
// which has exactly the permissions that doctor looks for, and never the right over the project's policy.
func (b Bootstrap) Script() (string, error) {
	if !accountID.MatchString(b.Account) {
		return "", fmt.Errorf("--account %q: 6 to 30 of a-z, 0-9 and '-', beginning with a letter", b.Account)
	}
	if b.Project == "" || b.Stack == "" {
		return "", errors.New("a stack has a name and a project")
	}
	var s strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	put("#!/bin/sh")
	put("# What stack %s needs in project %s. Look it over, and run it as somebody who owns the project.", b.Stack, b.Project)
	put("# It may be run again: what is there already stays.")
	put("set -eu")
	put("")
	put("project=%s", quote(b.Project))
	put("email=%s", quote(gcp.AccountEmail(b.Project, b.Account)))
	put("role=%s", quote("recsysd_"+strings.ReplaceAll(b.Stack, "-", "_")))
	put("")
	put("gcloud services enable --project=\"$project\" \\")
	put("  %s", strings.Join(quoted(b.Needs.Services), " \\\n  "))
	put("")
	put("# The daemon's account. No key is made: attach it to the machine, or name it as impersonate in the configuration.")
	put("if ! gcloud iam service-accounts describe \"$email\" --project=\"$project\" >/dev/null 2>&1; then")
	put("  gcloud iam service-accounts create %s --project=\"$project\" --display-name=recsysd", quote(b.Account))
	put("fi")
	put("")
	put("# What it may do: this and no more. Values of Secret Manager, and other accounts, are given one by one below. Emptying a bucket that has forceDestroy takes storage.objects.list and storage.objects.delete")
	put("# as well: grant them on that bucket, for as long as it takes.")
	put("permissions=%s", quote(strings.Join(slices.Concat(b.Needs.Read, b.Needs.Optional, b.Needs.Write), ",")))
	put("if gcloud iam roles describe \"$role\" --project=\"$project\" >/dev/null 2>&1; then")
	put("  gcloud iam roles update \"$role\" --project=\"$project\" --permissions=\"$permissions\" --quiet")
	put("else")
	put("  gcloud iam roles create \"$role\" --project=\"$project\" --title=%s --permissions=\"$permissions\" --quiet", quote("recsysd, stack "+b.Stack))
	put("fi")
	put("gcloud projects add-iam-policy-binding \"$project\" --member=\"serviceAccount:$email\" --role=\"projects/$project/roles/$role\" --condition=None --quiet >/dev/null")
	b.cluster(put)
	b.nodes(put)
	b.secrets(put)
	b.others(put)
	return s.String(), nil
}

// cluster is what clusters need beyond the role.
func (b Bootstrap) cluster(put func(string, ...any)) {
	if b.Needs.Objects {
		role := "roles/container.developer"
		why := "Kubernetes objects."
		if b.Needs.RBAC {
			role, why = "roles/container.admin", "Kubernetes objects, those among them that give rights in the cluster."
		}
		put("")
		put("# %s Narrower: leave this out, and bind a ClusterRole to the account in the cluster.", why)
		put("gcloud projects add-iam-policy-binding \"$project\" --member=\"serviceAccount:$email\" --role=%s --condition=None --quiet >/dev/null", role)
	}
}

// nodes is the right to make machines that run as an account. An account that is not there yet is passed over, and told.
func (b Bootstrap) nodes(put func(string, ...any)) {
	if len(b.Needs.Nodes) == 0 {
		return
	}
	put("")
	put("# Clusters and node pools are made by somebody who may act as the account of their nodes.")
	for _, account := range b.Needs.Nodes {
		if account == "" {
			put("number=$(gcloud projects describe \"$project\" --format='value(projectNumber)')")
			put("nodes=\"$number-compute@developer.gserviceaccount.com\"")
		} else {
			put("nodes=%s", quote(account))
		}
		put("if gcloud iam service-accounts describe \"$nodes\" >/dev/null 2>&1; then")
		put("  gcloud iam service-accounts add-iam-policy-binding \"$nodes\" --member=\"serviceAccount:$email\" --role=roles/iam.serviceAccountUser --condition=None --quiet >/dev/null")
		put("else")
		put("  echo \"$nodes is not there: make it, and run this again\" >&2")
		put("fi")
	}
}

// secretRoles let the daemon find the newest version of a secret and read it.
var secretRoles = []string{"roles/secretmanager.viewer", "roles/secretmanager.secretAccessor"}

// secrets are rights on each secret whose value the stack takes, and on no other.
func (b Bootstrap) secrets(put func(string, ...any)) {
	if len(b.Needs.Secrets) == 0 {
		return
	}
	put("")
	put("# Values of Secret Manager that the stack takes: these and no others. One that is not there yet is passed over.")
	for _, secret := range b.Needs.Secrets {
		where := "--project=" + quote(path.Base(path.Dir(path.Dir(secret))))
		name := quote(path.Base(secret))
		put("if gcloud secrets describe %s %s >/dev/null 2>&1; then", name, where)
		for _, role := range secretRoles {
			put("  gcloud secrets add-iam-policy-binding %s %s --member=\"serviceAccount:$email\" --role=%s --condition=None --quiet >/dev/null", name, where, role)
		}
		put("else")
		put("  echo %s >&2", quote(secret+" is not there: make it, and run this again"))
		put("fi")
	}
}

// others are the roles that only the project's owner can give.
func (b Bootstrap) others(put func(string, ...any)) {
	if len(b.Others) == 0 {
		return
	}
	put("")
	put("# Roles on the project that the stack file asks for, and that the daemon cannot give. The accounts must exist: run this part")
	put("# again once the stack has made them.")
	for _, o := range b.Others {
		put("gcloud projects add-iam-policy-binding \"$project\" --member=%s --role=%s --condition=None --quiet >/dev/null", quote(o.Member), quote(o.Role))
	}
}

// quote makes one word of the shell out of a text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoted(l []string) []string {
	var out []string
	for _, s := range l {
		out = append(out, quote(s))
	}
	return out
}
