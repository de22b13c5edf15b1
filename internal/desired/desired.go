// Package desired reads a stack: the stack file, its environment's overlay and its manifests become the resources that are wanted.
// It is strict and offline, and it reports every mistake of a run with its place. It never looks at the live world, and it decides
// nothing: what is done about a difference is the planner's business.
package desired

import (
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/image"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sealed"
)

// Options are what is known before the stack is read.
type Options struct {
	Environment string    // selects environments/<name>.yaml beside the stack file
	Project     string    // that the stack must be for; "": any
	Name        string    // that the stack must have; "": any
	External    bool      // Kubernetes objects go to a configured kubeconfig, not to a cluster of the stack
	Offline     bool      // the stack is only looked at: workloads without a cluster pass
	Now         time.Time // the moment that schedules are read for

	// Keys open encrypted files; nil: there is none, and with Offline the files stay shut. It is called once if at all.
	Keys func() (sealed.Keys, error)
	// Managed gives values of Secret Manager, in the order of the names; nil: nothing is asked, and every value is taken as unknown.
	Managed func([]ManagedName) []ManagedValue
	// Images answers what a repository of a registry holds, for images whose tag a policy chooses. nil: nothing is known of any.
	Images func(image.Repository) image.Listing
	// Memory spares the next reading what has not changed; nil: everything is read.
	Memory *Memory
	// WriteBack: the tags that policies choose are written into Git, so what runs is the one that stands there.
	WriteBack bool
}

// Stack is what is wanted.
type Stack struct {
	Name, Project, Region string
	Resources             []resource.Resource // by Ref
	Observe               bool                // its mode: what is no longer in the file is not removed either
	Notices               []string            // worth telling; nothing is wrong
	Until                 time.Time           // when the same files may want something else; zero: never
	ProjectRoles          []ProjectRole       // wanted by workloads, and for the project's owner to give
	Followed              []Followed          // images whose tags follow a policy
	Keyless               []string            // workloads that Google gives access, as NAMESPACE/NAME
	Managed               []ManagedName       // values that are taken from Secret Manager
	Cost                  Cost                // what prices need to know
	Budget                *resource.Budget    // what it may come to in a month; nil: nothing is said
}

// Cost is what the stack file says for prices. It changes no resource.
type Cost struct {
	FreeTierCredit bool // the billing account's one credit for clusters is spent on this stack; if nothing is said, it is not counted
}

// Load reads the stack file at path in tree, and what it names. The error joins every mistake, each one line of the form
// file:line:column: path: what is wrong; hint. The same tree and options give the same stack.
func Load(tree fs.FS, path string, o Options) (*Stack, error) {
	b := &builder{tree: files{tree}, path: path, options: o, used: map[fileKey]*keptFile{}}
	b.load()
	if b.p.any() {
		return nil, b.p.err()
	}
	o.Memory.keep(b.used)
	slices.SortFunc(b.resources, func(a, c resource.Resource) int { return a.Ref.Compare(c.Ref) })
	return &Stack{
		Name: b.file.Name, Project: b.file.Project, Region: b.file.Region, Resources: b.resources, Notices: b.notices, Until: b.until,
		Observe:      b.file.Mode == "observe",
		ProjectRoles: b.projectRoles,
		Followed:     b.followed,
		Keyless:      b.keyless(),
		Managed:      b.managedNames(),
		Cost:         b.file.Cost.said(),
		Budget:       b.file.Budget.said(b.at("budget.monthly")),
	}, nil
}

// builder makes one stack.
type builder struct {
	tree    files
	path    string
	options Options
	p       problems

	top       *value
	file      file
	places    map[string]place
	cluster   resource.Ref // where the objects go; zero: to a kubeconfig, or nowhere yet
	declared  map[resource.Ref]place
	made      map[string]made // what the values of each entry of secrets are
	schedules schedules
	resources []resource.Resource
	notices   []string

	projectRoles []ProjectRole

	chosen   map[string]*image.Choice // by the path of the workload whose image has a policy
	followed []Followed
	until    time.Time // the earliest moment at which another reading may come to something else

	manifestBytes int                   // read so far
	used          map[fileKey]*keptFile // what the files came to
}

// load goes on after a mistake as long as what follows can be judged at all.
func (b *builder) load() {
	if !b.read() {
		return
	}
	b.defaults()
	b.decode()
	b.declared = map[resource.Ref]place{}
	b.chosen = map[string]*image.Choice{}
	b.checkStack()
	b.checkBudget()
	manifests := b.readManifests()
	objects := len(b.file.Workloads) + len(b.file.Secrets)
	for _, f := range manifests {
		objects += f.count()
	}
	b.chooseCluster(objects > 0)
	b.makeSecrets()
	b.readSchedules()
	b.addWorkloads(manifests)
	b.countMachines()
	b.addCloud()
	b.addSecrets()
	b.addManifests(manifests)
	b.addNamespace()
	b.addBilling()
	b.addIgnores()
	if len(b.resources) == 0 && !b.p.any() {
		b.p.add(b.top.at, "", "the stack is empty; nothing at all is more likely a mistake than a wish")
	}
}

// read makes the tree of the stack file with its environment's overlay laid over it and its variables replaced.
func (b *builder) read() bool {
	b.top = b.readDocument(b.path)
	if b.top == nil {
		return false
	}
	if env := b.options.Environment; env != "" {
		if !entryKey.MatchString(env) {
			b.p.add(place{file: b.path}, "", "the environment %q must be lower-case letters, digits and '-'", env)
			return false
		}
		over := b.readDocument(path.Join(path.Dir(b.path), "environments", env+".yaml"))
		if over == nil {
			return false
		}
		overlay(b.top, over, "", &b.p)
	}
	if !b.identify() {
		return false
	}
	vars := &variables{top: b.top, environment: b.options.Environment, p: &b.p, known: map[string]string{}}
	vars.checkNames()
	vars.expandAll(b.top, "")
	b.checkIdentity()
	return true
}

// readDocument reads a file that is one mapping; nil if it is not.
func (b *builder) readDocument(name string) *value {
	whole := place{file: name}
	data, err := b.tree.read(name)
	if err != nil {
		b.p.add(whole, "", "%v", err)
		return nil
	}
	docs, ok := parse(name, data, &b.p)
	switch {
	case !ok:
		return nil
	case len(docs) == 0, len(docs) == 1 && docs[0].null():
		b.p.add(whole, "", "the file is empty")
		return nil
	case len(docs) > 1:
		b.p.add(docs[1].at, "", "a second document; a stack is one")
		return nil
	case docs[0].kind != mapping:
		b.p.add(docs[0].at, "", "must be a mapping of keys to values, not %s", docs[0].name())
		return nil
	}
	return docs[0]
}

var (
	entryKey    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$`)
	projectID   = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	region      = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+$`)
	zone        = regexp.MustCompile(`^([a-z]+-[a-z]+[0-9]+)-[a-z]$`)
	namespaceOK = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// decode fills the file from the tree, and notes where everything stands.
func (b *builder) decode() {
	d := decoder{&b.p, map[string]place{}}
	d.decode(b.top, b.top.at, "", "", reflect.ValueOf(&b.file).Elem())
	b.places = d.places
}

// at is the place of path, or of the nearest thing around it that stands in a file.
func (b *builder) at(path string) place {
	for path != "" {
		if at, ok := b.places[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return b.top.at
}

// chooseCluster finds the cluster that the Kubernetes objects go to.
func (b *builder) chooseCluster(objects bool) {
	keys := sortedKeys(b.file.Cloud.Clusters)
	key := b.file.Cluster
	switch {
	case key != "" && b.file.Cloud.Clusters[key] == nil:
		b.p.add(b.at("cluster"), "cluster", "no cluster %q in clusters%s", key, suggest(key, keys))
		return
	case b.options.External || !objects:
		return
	case key == "" && len(keys) == 1:
		key = keys[0]
	case key == "" && len(keys) > 1:
		b.p.add(b.top.at, "cluster", "missing; there are several clusters, so say which one the workloads go to")
		return
	case key == "" && b.options.Offline:
		return
	case key == "":
		b.p.add(b.top.at, "clusters", "missing; workloads, secrets and manifests need a cluster, or a kubeconfig in the daemon's configuration")
		return
	}
	b.cluster = b.file.Cloud.Clusters[key].Spec.Ref()
}

// add takes a resource into the stack. Two of one identity are a mistake that names both places.
func (b *builder) add(r resource.Resource, at place, path string) {
	if first, ok := b.declared[r.Ref]; ok {
		b.p.add(at, path, "%s is declared twice; first at %s", r.Ref, first)
		return
	}
	b.declared[r.Ref] = at
	r.Pos = at.String()
	b.resources = append(b.resources, r)
}

// holdsUntil notes that the stack may read otherwise from t on.
func (b *builder) holdsUntil(t time.Time) {
	if b.until.IsZero() || t.Before(b.until) {
		b.until = t
	}
}

// notice takes down what is worth telling and changes nothing.
func (b *builder) notice(at place, what string) {
	b.notices = append(b.notices, at.String()+": "+what)
}
