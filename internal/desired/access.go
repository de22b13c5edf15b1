package desired

import (
	"regexp"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// principal is who a workload's pods are for Google's services: the workload itself, or the Google service account that it acts as.
func (b *builder) principal(workload string) principal {
	if email := b.actsAs(workload); email != "" {
		return principal{Account: email}
	}
	return principal{Namespace: b.namespace(), Account: workload}
}

// actsAs is the address of the Google service account that a workload names; "": none, as of what is not a workload but belongs to
// one, such as its backup.
func (b *builder) actsAs(name string) string {
	e := b.file.Workloads[name]
	if e == nil || e.Workload.ServiceAccount == nil || e.Workload.ServiceAccount.Google == "" {
		return ""
	}
	return accountEmail(b.file.Project, e.Workload.ServiceAccount.Google)
}

// allow gives a principal a role on a bucket, or on what is under a prefix of it. It answers whether that is new.
func (b *builder) allow(e *bucketEntry, who principal, role, prefix string) bool {
	g := grant{Principal: who, Role: role, Prefix: prefix}
	if slices.Contains(e.Spec.Grants, g) {
		return false
	}
	e.Spec.Grants = append(e.Spec.Grants, g)
	return true
}

// namespaceText is the namespace as it stands in the file, before that is decoded.
func (b *builder) namespaceText() string {
	if ns := b.top.get("namespace"); ns != nil && ns.kind == scalar && ns.text != "" {
		return ns.text
	}
	return b.top.get("name").text
}

var googleAccount = regexp.MustCompile(`^[a-z][-a-z0-9]{4,28}[a-z0-9]$`)

// addIdentities takes in the Google service accounts that workloads name, and tells buckets and registries whose access is the stack's.
func (b *builder) addIdentities() {
	users := map[string][]string{} // workloads by account
	for _, name := range sortedKeys(b.file.Workloads) {
		a, at := b.file.Workloads[name].Workload.ServiceAccount, joined("workloads", name)+".serviceAccount.google"
		switch {
		case a == nil:
		case a.Google == "":
			b.p.add(b.at(at), at, "missing; the name of a Google service account, such as %s-%s", b.file.Name, name)
		case strings.Contains(a.Google, "@"):
			b.p.add(b.at(at), at, "%q: only the part before the @; accounts of other projects are not supported", a.Google)
		case !googleAccount.MatchString(a.Google):
			b.p.add(b.at(at), at, "%q: 6 to 30 of a-z, 0-9 and '-', beginning with a letter, not ending in '-'", a.Google)
		default:
			users[a.Google] = append(users[a.Google], name)
		}
	}
	var emails []string
	for _, account := range sortedKeys(users) {
		emails = append(emails, accountEmail(b.file.Project, account))
		b.addIdentity(account, users[account])
	}
	for _, e := range b.file.Cloud.Buckets {
		e.Spec.Namespace, e.Spec.Accounts = b.namespace(), emails
	}
	for _, e := range b.file.Cloud.Registries {
		e.Spec.Accounts = emails
	}
}

// addIdentity takes in one account. Of several workloads that share it the first one's entry is its entry; what any of them says of
// adoption, protection and suspension holds; it is only looked at, without marks of ours, if all of them are.
func (b *builder) addIdentity(account string, workloads []string) {
	path := joined("workloads", workloads[0])
	s := identitySpec{
		Name: account, DisplayName: b.file.Name + ": " + strings.Join(workloads, ", "), Stack: b.file.Name, Namespace: b.namespace(),
	}
	if len(s.DisplayName) > maxDisplayName {
		s.DisplayName = s.DisplayName[:maxDisplayName]
	}
	h := b.file.Workloads[workloads[0]].Handling
	for _, name := range workloads {
		other := b.file.Workloads[name].Handling
		h.Adopt = h.Adopt || other.Adopt
		if h.Mode == observed {
			h.Mode = other.Mode
		}
		s.Protect = s.Protect || other.Protect != nil && *other.Protect
		if h.Suspend == "" {
			h.Suspend = other.Suspend
		}
		s.Users = append(s.Users, principal{Namespace: b.namespace(), Account: name})
	}
	if h.Mode == observed {
		s.Stack = ""
	}
	r := resource.Of(s)
	b.handle(&r, h, path)
	r.Entry = path
	b.add(r, b.at(path+".serviceAccount"), path+".serviceAccount")
}

// addNodes lets the nodes of the stack's clusters pull from its docker registries, where the stack's objects go to one of those clusters.
// Who pulls from a registry that is only looked at is its owner's business.
func (b *builder) addNodes() {
	for _, key := range sortedKeys(b.file.Cloud.Registries) {
		e, path := b.file.Cloud.Registries[key], joined("registries", key)
		if b.cluster != (resource.Ref{}) && (e.Spec.Format == "" || e.Spec.Format == "docker") && e.Handling.Mode != observed {
			e.Spec.Nodes = b.nodeAccounts()
		}
		for i, member := range e.Spec.Readers {
			if public(member) {
				at := indexed(path+".readers", i)
				b.notice(b.at(at), at+": "+member+": everybody may pull the images")
			}
		}
		c := e.Spec.Cleanup
		if len(e.Spec.Running) == 0 || c == nil || c.DeleteAfter == nil || c.KeepLast != nil || c.DryRun {
			continue
		}
		at := path + ".cleanup.deleteAfter"
		b.p.add(b.at(at), at, "workload %q runs %s from here, and it would be deleted when it is %s old; say keepLast too, such as keepLast: 10",
			e.Spec.Running[0].Workload, e.Spec.Running[0], c.DeleteAfter)
	}
}

// nodeAccounts are the accounts that the nodes of the stack's clusters run as, each once.
func (b *builder) nodeAccounts() []string {
	var all []string
	for _, e := range b.file.Cloud.Clusters {
		all = append(all, e.nodeAccounts(b.file.Project)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ran takes down, for the registry that an image comes from, that a workload runs it.
func (b *builder) ran(workload, image string) {
	for _, e := range b.file.Cloud.Registries {
		rest, ok := strings.CutPrefix(image, e.Spec.Path(b.file.Project)+"/")
		if !ok {
			continue
		}
		name, digest, _ := strings.Cut(rest, "@")
		name, tag, _ := strings.Cut(name, ":")
		if tag+digest != "" {
			e.Spec.Running = append(e.Spec.Running, running{Workload: workload, Image: name, Tag: tag, Digest: digest})
		}
	}
}
