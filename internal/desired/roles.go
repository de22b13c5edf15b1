package desired

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// ProjectRole is a role that a workload's Google service account is to have and that stands on no resource of the stack. recsysd never
// has the right to give it: somebody who owns the project does.
type ProjectRole struct{ Member, Role string }

// Roles that can be given on a bucket and on a repository. Others of these two services are for projects.
var (
	bucketRoles = []string{
		"roles/storage.admin", "roles/storage.bucketViewer", "roles/storage.folderAdmin", "roles/storage.insightsCollectorService",
		"roles/storage.legacyBucketOwner", "roles/storage.legacyBucketReader", "roles/storage.legacyBucketWriter",
		"roles/storage.legacyObjectOwner", "roles/storage.legacyObjectReader",
		"roles/storage.objectAdmin", "roles/storage.objectCreator", "roles/storage.objectUser", "roles/storage.objectViewer",
	}
	registryRoles = []string{
		"roles/artifactregistry.admin", "roles/artifactregistry.createOnPushRepoAdmin", "roles/artifactregistry.createOnPushWriter",
		"roles/artifactregistry.reader", "roles/artifactregistry.repoAdmin", "roles/artifactregistry.writer",
	}
	projectOnly = []string{"roles/storage.hmacKeyAdmin", "roles/artifactregistry.containerRegistryMigrationAdmin"}

	roleSyntax = regexp.MustCompile(`^(roles/[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*|(projects|organizations)/[a-z0-9.:-]+/roles/[a-zA-Z0-9_.]{3,64})$`)
)

// grantRoles gives a workload's Google service account its roles: those of Cloud Storage on the stack's buckets, those of Artifact
// Registry on its registries. The others are told, and left to the project's owner.
func (b *builder) grantRoles(workload string) {
	a := b.file.Workloads[workload].Workload.ServiceAccount
	if a == nil {
		return
	}
	who := b.principal(workload)
	for i, role := range a.Roles {
		at := indexed(joined("workloads", workload)+".serviceAccount.roles", i)
		bad := func(format string, args ...any) { b.p.add(b.at(at), at, format, args...) }
		ofBuckets, ofRegistries := strings.HasPrefix(role, "roles/storage."), strings.HasPrefix(role, "roles/artifactregistry.")
		switch {
		case slices.Contains(a.Roles[:i], role):
			bad("%q stands here twice", role)
		case !roleSyntax.MatchString(role):
			bad("%q is no role; such as roles/storage.objectViewer or projects/%s/roles/NAME", role, b.file.Project)
		case slices.Contains(projectOnly, role):
			b.projectRole(at, who, role)
		case ofBuckets && !slices.Contains(bucketRoles, role):
			bad("there is no role %q for buckets%s", role, cmp.Or(suggest(role, bucketRoles), "; such as roles/storage.objectViewer"))
		case ofRegistries && !slices.Contains(registryRoles, role):
			bad("there is no role %q for registries%s", role, cmp.Or(suggest(role, registryRoles), "; such as roles/artifactregistry.reader"))
		case ofBuckets:
			if len(b.file.Cloud.Buckets) == 0 {
				bad("%q is given on the stack's own buckets, and it has none", role)
			}
			for _, key := range sortedKeys(b.file.Cloud.Buckets) {
				if e := b.file.Cloud.Buckets[key]; e.Handling.Mode != observed {
					b.allow(e, who, role, "")
				}
			}
		case ofRegistries:
			if len(b.file.Cloud.Registries) == 0 {
				bad("%q is given on the stack's own registries, and it has none", role)
			}
			for _, key := range sortedKeys(b.file.Cloud.Registries) {
				e := b.file.Cloud.Registries[key]
				g := registryGrant{Account: who.Account, Role: role}
				if e.Handling.Mode != observed && !slices.Contains(e.Spec.Grants, g) {
					e.Spec.Grants = append(e.Spec.Grants, g)
				}
			}
		default:
			b.projectRole(at, who, role)
		}
	}
}

// projectRole takes down a role that somebody else has to give.
func (b *builder) projectRole(at string, who principal, role string) {
	if who.Namespace != "" {
		return // the account's name is missing, which is told elsewhere
	}
	r := ProjectRole{Member: accountMember(who.Account), Role: role}
	if slices.Contains(b.projectRoles, r) {
		return
	}
	b.projectRoles = append(b.projectRoles, r)
	b.notice(b.at(at), at+": "+role+" stands on no resource of the stack, so it is not given here; recsysd bootstrap prints the command")
}
