package desired

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/desired/workload"
)

// Namesakes says, of a stack and another environment of it, that whichever runs would take what the other has for its own; "" if not.
func Namesakes(a, b *Stack) string {
	if a.Name != b.Name || a.Project != b.Project {
		return ""
	}
	return fmt.Sprintf("another environment in environments/ is called %s in project %s too: each would take what the other has for its own, and remove it; give each a name, or a project",
		a.Name, a.Project)
}

// Sameness says, of two stacks, that Google cannot tell some of their workloads apart; "" if it can. The identity pool belongs to the
// project: the same namespace and account in another cluster of it is the same principal.
func Sameness(a, b *Stack) string {
	if a.Name == b.Name || a.Project != b.Project {
		return ""
	}
	for _, who := range a.Keyless {
		if slices.Contains(b.Keyless, who) {
			return fmt.Sprintf("stacks %s and %s are one to Google as far as %s goes: the identity pool belongs to project %s and not to a cluster, so each can use what the other is given; say another namespace in one of them, or another project",
				a.Name, b.Name, who, a.Project)
		}
	}
	return ""
}

// Neighbours reads the other environments beside the stack file at file. One that is not a stack has nothing to say here: its own check
// tells why.
func Neighbours(tree fs.FS, file string, o Options) []*Stack {
	overlays, err := fs.Glob(tree, path.Join(path.Dir(file), "environments", "*.yaml"))
	if err != nil {
		return nil // the pattern is well formed
	}
	var stacks []*Stack
	for _, overlay := range overlays {
		other := o
		if other.Environment = strings.TrimSuffix(path.Base(overlay), ".yaml"); other.Environment == o.Environment {
			continue
		}
		if s, err := Load(tree, file, other); err == nil {
			stacks = append(stacks, s)
		}
	}
	return stacks
}

// keyless are the workloads that Google gives anything to, as NAMESPACE/NAME.
func (b *builder) keyless() []string {
	var all []string
	for _, name := range sortedKeys(b.file.Workloads) {
		w := b.file.Workloads[name].Workload
		if len(w.Storage) > 0 || w.ServiceAccount != nil {
			all = append(all, b.namespace()+"/"+name)
		}
		if w.Backup != nil {
			all = append(all, b.namespace()+"/"+workload.BackupName(name))
		}
	}
	return all
}
