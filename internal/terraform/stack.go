package terraform

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Identity is what a stack file says at its top; what is left empty is guessed from the model.
type Identity struct{ Name, Project, Region string }

// Stack is a stack file in the making.
type Stack struct {
	Text string
	// Notices are lines about what was left out although recsysd has a word for it.
	Notices []string
}

// ErrNothing: not one of the resources is one that a stack file can hold.
var ErrNothing = errors.New("none of these resources can be held by a stack file")

// errLeftOut: there are resources that a stack file can hold, and each was left out for a reason of its own.
var errLeftOut = errors.New("nothing is left to write: what a stack file can hold was left out, for the reasons above")

// converters make an entry of a stack file out of a resource, by its type.
var converters = map[string]struct {
	section string
	convert func(*entry)
}{
	"google_compute_network":              {"networks", network},
	"google_container_cluster":            {"clusters", cluster},
	"google_storage_bucket":               {"buckets", bucket},
	"google_artifact_registry_repository": {"registries", registry},
}

// parts belong to the entry of another resource, which stands before them: resources are taken in by type.
var parts = map[string]func(*entry){
	"google_compute_router":      router,
	"google_compute_router_nat":  routerNAT,
	"google_compute_subnetwork":  subnetwork,
	"google_container_node_pool": nodePool,
}

// answered are types that need no entry, with what stands in their place.
var answered = map[string]string{
	"google_project_service":                         "recsysd bootstrap prints how services are enabled",
	"google_project_iam_member":                      "recsysd has no right over the project's policy; it stays as it is",
	"google_service_account":                         "a workload's serviceAccount makes its own",
	"google_service_account_iam_member":              "a workload's serviceAccount makes the binding",
	"google_service_account_key":                     "no key is needed, and none is made",
	"google_storage_bucket_iam_member":               "a workload's storage grants it; what others were granted is left alone",
	"google_artifact_registry_repository_iam_member": "a registry's readers; what others were granted is left alone",
	"google_secret_manager_secret":                   "secrets.fromSecretManager reads it",
	"google_secret_manager_secret_version":           "secrets.fromSecretManager reads it",
	"kubernetes_deployment":                          "write it as a workload, or keep it as a manifest",
	"helm_release":                                   "keep what the chart renders as a manifest",
}

// known reports whether resources of a type can stand in a stack file.
func known(kind string) bool {
	_, whole := converters[kind]
	_, part := parts[kind]
	return whole || part
}

var (
	regionOK = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+$`)
	keyOK    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$`)
)

// conversion is one stack file in the making.
type conversion struct {
	model    Model
	identity Identity
	notices  []string
	entries  map[string][]*entry // by section
	used     map[string]bool     // keys, by section/key
	routers  map[string]*gateway // by name
	gateways []gateway
}

// entry is one resource on its way into a stack file.
type entry struct {
	*reader
	*conversion
	resource Resource
	key      string
	fields   mapping
	subnets  *mapping // of a network
	pools    *mapping // of a cluster
	comments []string
	refused  bool
}

// Convert writes the stack file that says what the model says. Every entry has adopt: true, and says no more than Terraform does:
// what is left out is not recsysd's. Its error is one of the whole.
func Convert(m Model, id Identity) (Stack, error) {
	c := &conversion{model: m, identity: id, entries: map[string][]*entry{}, used: map[string]bool{}, routers: map[string]*gateway{}}
	if len(m.Resources) == 0 {
		return Stack{}, fmt.Errorf("%s: there is no resource; %w", m.Source, errors.Join(append(lines(m.Skipped), ErrNothing)...))
	}
	c.identity.Project = cmp.Or(id.Project, m.Project, c.projectOfAll())
	c.identity.Region = cmp.Or(id.Region, m.Region, c.commonRegion())
	for _, r := range m.Resources {
		c.convert(r)
	}
	c.completeNetworks()
	c.completeClusters()
	c.notices = append(c.notices, m.Skipped...)
	if len(c.entries) == 0 {
		why := fmt.Errorf("%s: %w: %s", m.Source, ErrNothing, strings.Join(c.types(), ", "))
		if slices.ContainsFunc(m.Resources, func(r Resource) bool { return converters[r.Type].convert != nil }) {
			why = fmt.Errorf("%s: %w", m.Source, errLeftOut)
		}
		return Stack{}, errors.Join(append(lines(c.notices), why)...)
	}
	c.identity.Name = cmp.Or(id.Name, c.guessName())
	if err := c.identity.check(); err != nil {
		return Stack{}, err
	}
	text, err := c.render()
	return Stack{Text: text, Notices: c.notices}, err
}

func lines(texts []string) []error {
	var errs []error
	for _, t := range texts {
		errs = append(errs, errors.New(t))
	}
	return errs
}

func (id Identity) check() error {
	var errs []error
	for _, f := range []struct{ flag, value string }{{"name", id.Name}, {"project", id.Project}, {"region", id.Region}} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("nothing says the stack's %s; give it with --%s", f.flag, f.flag))
		}
	}
	return errors.Join(errs...)
}

// convert takes in one resource.
func (c *conversion) convert(r Resource) {
	how, whole := converters[r.Type]
	part := parts[r.Type]
	if !whole && part == nil {
		return
	}
	e := &entry{conversion: c, resource: r}
	e.reader = r.reader(func(place, path, why string) {
		e.notice(cmp.Or(place, r.Place), "%s.%s: %s", r.Address(), path, why)
	})
	if p, ok := e.text("project"); ok && c.identity.Project != "" && p != c.identity.Project {
		e.notice(r.Place, "%s: is in project %s, and a stack has one project; left out", r.Address(), line(p))
		return
	}
	if part != nil {
		part(e)
		return
	}
	how.convert(e)
	if e.refused {
		return
	}
	if left := e.left(); len(left) > 0 && !r.filled {
		e.comment("left alone, without a counterpart: %s", strings.Join(left, ", "))
	}
	e.fields.set("adopt", truth(true))
	e.key = c.keyFor(how.section, r)
	c.entries[how.section] = append(c.entries[how.section], e)
}

func (c *conversion) notice(place, format string, args ...any) {
	c.notices = append(c.notices, place+": "+line(fmt.Sprintf(format, args...)))
}

func (e *entry) comment(format string, args ...any) {
	e.comments = append(e.comments, line(fmt.Sprintf(format, args...)))
}

// refuse leaves the resource out of the stack.
func (e *entry) refuse(format string, args ...any) {
	e.refused = true
	e.notice(e.resource.Place, "%s: %s; left out", e.resource.Address(), fmt.Sprintf(format, args...))
}

// unsupported comments on attributes that say something and have no counterpart.
func (e *entry) unsupported(from *reader, keys ...string) {
	for _, k := range keys {
		from.read[k] = true
		if v, ok := from.values[k]; ok && v != nil && (!from.filled || says(v)) {
			e.comment("%s has no counterpart; left alone", from.at(k))
		}
	}
}

// name takes over the resource's own name, without which there is no entry.
func (e *entry) name(attribute string) {
	told := len(e.notices)
	name, ok := e.text(attribute)
	switch {
	case ok && name != "":
		e.fields.set("name", text(name))
	case len(e.notices) > told: // why it is not known
		e.refused = true
		e.notices[len(e.notices)-1] += "; the resource is left out"
	default:
		e.refuse("it has no %s", attribute)
	}
}

// location takes over where it is, unless the stack says the same.
func (e *entry) location(attribute string) {
	l, ok := e.text(attribute)
	if l = strings.ToLower(l); ok && l != e.identity.Region {
		e.fields.set("location", text(l))
	}
}

// types are those of the resources, for people.
func (c *conversion) types() []string {
	var types []string
	for _, r := range c.model.Resources {
		types = append(types, line(r.Type))
	}
	slices.Sort(types)
	types = slices.Compact(types)
	if len(types) > 10 {
		types = append(types[:10], fmt.Sprintf("and %d more", len(types)-10))
	}
	return types
}
