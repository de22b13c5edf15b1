// Package workload turns the stack file's short form of a pod into Kubernetes objects. It is pure: what it needs to know of the
// rest of the stack is handed to it, and it knows neither the file nor the cluster.
package workload

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"recsysd.dev/recsysd/internal/image"
)

// Workload is one entry of workloads.
type Workload struct {
	Image    Image     `yaml:"image" required:"true" doc:"What runs: a reference with a tag or digest, or {registry, name, tag} for an image of one of the stack's registries, where policy or newest may choose the tag. A change rolls the pods."`
	Command  []string  `yaml:"command" doc:"Replaces the image's entry point."`
	Args     []string  `yaml:"args" doc:"Replaces the image's arguments."`
	Port     int       `yaml:"port" doc:"The TCP port that it listens on. It gets a Service of the workload's name."`
	CPU      CPU       `yaml:"cpu" required:"true" doc:"CPU that is reserved, and paid for, such as 500m. Required. It may use more while the node has it."`
	Memory   Bytes     `yaml:"memory" required:"true" doc:"Memory that is reserved, and the most that it may use, such as 1Gi. Required."`
	Replicas *Replicas `yaml:"replicas" doc:"How many pods: a number, or {min, max, cpu} for an autoscaler. Left out, it starts with one and whatever scales it is left alone. With a disk at most 1."`
	Uses     []string  `yaml:"uses" doc:"Workloads that it talks to: they are created first, <NAME>_HOST and <NAME>_PORT say where they are, and their network policy lets it in."`
	Storage  []Storage `yaml:"storage" doc:"Buckets of the stack that its pods may use, without keys."`

	ServiceAccount *ServiceAccount `yaml:"serviceAccount" doc:"A Google service account that its pods act as, for services that know no other identity. Left out, they act as themselves, which is simpler."`

	Health  string            `yaml:"health" doc:"Path that answers 200 when it is well, asked on the port. Without it, being reachable on the port is enough."`
	Env     map[string]Env    `yaml:"env" doc:"Environment variables: a text, or {secret, key}. A text may use others, secret ones too, as $(NAME)."`
	Secrets map[string]string `yaml:"secrets" doc:"Secrets of the stack that its pods see as files: the name of each, and the folder with a file for every key. Read-only."`
	User    *int64            `yaml:"user" doc:"Numeric user to run as, never root, and the group of its disk. Left out, the image decides."`
	Spot    bool              `yaml:"spot" doc:"Run on spot capacity: cheaper, and stopped by Google at 25 seconds' notice."`
	Disk    *Disk             `yaml:"disk" doc:"A disk that outlives the pods and the entry itself. It makes the workload a StatefulSet."`
	Backup  *Backup           `yaml:"backup" doc:"For PostgreSQL on a disk: dumps of all its databases into a bucket."`
	Expose  *Expose           `yaml:"expose" doc:"How it is reached from outside the cluster."`
	Labels  map[string]string `yaml:"labels" doc:"Labels of its objects and pods."`
}

// Image is what runs. Written as a single text it is a reference.
type Image struct {
	Reference string `yaml:"-"`
	Registry  string `yaml:"registry" doc:"Key of one of the stack's registries."`
	Name      string `yaml:"name" doc:"Name of the image in it."`
	Tag       string `yaml:"tag" doc:"Tag of the image; a new one rolls the pods. Without it, policy or newest chooses one."`
	Policy    string `yaml:"policy" doc:"The newest tag whose version is in this range runs, such as ^1.0. Pre-releases only if the range names one, such as ^1.0-0."`
	Newest    string `yaml:"newest" doc:"The tag uploaded last of those that this regular expression (RE2) matches as a whole runs."`
}

// Env is the value of an environment variable. Written as a single text it is that text.
type Env struct {
	Text   *string `yaml:"-"`
	Secret string  `yaml:"secret" doc:"Name of a Secret of this stack."`
	Key    string  `yaml:"key" doc:"Key in it."`
}

// Storage is the use of a bucket.
type Storage struct {
	Bucket string `yaml:"bucket" required:"true" doc:"Key of one of the stack's buckets."`
	Prefix string `yaml:"prefix" doc:"Only objects whose names begin so; the whole bucket if left out."`
	Access string `yaml:"access" required:"true" enum:"read,write,admin" doc:"read: roles/storage.objectViewer; write: roles/storage.objectUser; admin: roles/storage.objectAdmin."`
}

// ServiceAccount is the older form of access without keys: the pods act as a Google service account.
type ServiceAccount struct {
	Google string   `yaml:"google" required:"true" doc:"Name of the account in the stack's project, the part before the @. It is made if it does not exist; one that exists is held, and used as it is, unless the workload says adopt."`
	Roles  []string `yaml:"roles" doc:"Roles of the account: roles/storage.… on the stack's own buckets, roles/artifactregistry.… on its registries. Others are for the project's owner to give; recsysd bootstrap prints them."`
}

// Disk is a volume that outlives the pods.
type Disk struct {
	Size  Bytes  `yaml:"size" required:"true" doc:"Size of the disk. It grows in place; it never shrinks."`
	Mount string `yaml:"mount" required:"true" doc:"Where the pods see its root. A database keeps its data in a folder below, which it makes itself."`
}

// Roles are what the words of Storage.Access stand for.
var roles = map[string]string{
	"read":  "roles/storage.objectViewer",
	"write": "roles/storage.objectUser",
	"admin": "roles/storage.objectAdmin",
}

// Role is the full name of the role that the access stands for.
func (s Storage) Role() string { return roles[s.Access] }

// Choice is the policy that chooses the tag; nil without one.
func (i Image) Choice() (*image.Policy, error) {
	if i.Policy == "" && i.Newest == "" {
		return nil, nil
	}
	choose, text := image.Versions, i.Policy
	if i.Newest != "" {
		choose, text = image.Newest, i.Newest
	}
	p, err := choose(text)
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// UnmarshalText reads a plain reference.
func (i *Image) UnmarshalText(text []byte) error {
	i.Reference = string(text)
	return CheckReference(i.Reference)
}

// UnmarshalText reads a plain value.
func (e *Env) UnmarshalText(text []byte) error {
	s := string(text)
	e.Text = &s
	return nil
}

var (
	reference = regexp.MustCompile(`^[a-z0-9][a-zA-Z0-9._:/-]*[a-zA-Z0-9](@sha256:[0-9a-f]{64})?$`)
	imageName = regexp.MustCompile(`^[a-z0-9]+([._/-]+[a-z0-9]+)*$`)
	imageTag  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
)

// CheckReference reports what is wrong with an image's reference: above all, that it names no version.
func CheckReference(ref string) error {
	if !reference.MatchString(ref) || strings.Contains(ref, "//") {
		return fmt.Errorf("%q is not an image reference such as redis:7", ref)
	}
	base := ref[strings.LastIndex(ref, "/")+1:]
	if !strings.ContainsAny(base, ":@") {
		return fmt.Errorf("%q has no tag: what runs must be named by Git; such as %s:1.2.3", ref, ref)
	}
	if _, tag, ok := strings.Cut(base, ":"); ok && !strings.Contains(base, "@") && !imageTag.MatchString(tag) {
		return fmt.Errorf("%q: the tag %q is not one", ref, tag)
	}
	return nil
}

// Validate reports what is wrong with the workload in itself, joined; each error begins with the field it is about.
func (w Workload) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	w.validateImage(bad)
	if w.CPU == "" {
		bad("cpu", "missing, such as 500m; what a pod reserves is what it costs, and on Autopilot saying nothing costs most")
	}
	if w.Memory == "" {
		bad("memory", "missing, such as 512Mi; what a pod reserves is what it costs, and on Autopilot saying nothing costs most")
	}
	if w.Port < 0 || w.Port > 65535 {
		bad("port", "%d is out of range; 1 to 65535", w.Port)
	}
	switch {
	case w.Health == "":
	case !strings.HasPrefix(w.Health, "/"):
		bad("health", "%q must be a path such as /healthz", w.Health)
	case w.Port == 0:
		bad("health", "needs a port to be asked on")
	}
	w.validateReplicas(bad)
	w.validateExpose(bad)
	w.validateBackup(bad)
	if w.User != nil && *w.User < 1 {
		bad("user", "%d: root is not for pods; leave it out to let the image decide", *w.User)
	}
	if d := w.Disk; d != nil {
		if d.Size == "" {
			bad("disk.size", "missing")
		}
		if !strings.HasPrefix(d.Mount, "/") || d.Mount == "/" {
			bad("disk.mount", "%q must be a folder such as /data", d.Mount)
		}
	}
	w.validateEnv(bad)
	w.validateSecrets(bad)
	for i, s := range w.Storage {
		if s.Bucket == "" {
			bad(fmt.Sprintf("storage[%d].bucket", i), "missing")
		}
		if s.Access == "" {
			bad(fmt.Sprintf("storage[%d].access", i), "missing; read, write or admin")
		}
		if strings.HasPrefix(s.Prefix, "/") {
			bad(fmt.Sprintf("storage[%d].prefix", i), "%q begins with a slash, and names of objects do not; did you mean %q?", s.Prefix, strings.TrimLeft(s.Prefix, "/"))
		} else if s.Prefix != "" && !strings.HasSuffix(s.Prefix, "/") {
			bad(fmt.Sprintf("storage[%d].prefix", i), "%q would fit %s-old/ too; a folder ends in a slash; did you mean %q?", s.Prefix, s.Prefix, s.Prefix+"/")
		}
	}
	ValidateLabels(w.Labels, bad)
	return errors.Join(errs...)
}

func (w Workload) validateImage(bad func(field, format string, args ...any)) {
	i := w.Image
	switch {
	case i == Image{}:
		bad("image", "missing")
	case i.Reference != "":
	case i.Registry == "" && (i.Policy != "" || i.Newest != ""):
		bad("image.registry", "missing; a policy chooses among the tags of one of the stack's registries")
	case i.Registry == "":
		bad("image.registry", "missing")
	default:
		if !imageName.MatchString(i.Name) {
			bad("image.name", "%q is not the name of an image", i.Name)
		}
		switch {
		case i.Tag == "" && i.Policy == "" && i.Newest == "":
			bad("image.tag", "missing: what runs must be named by Git, or chosen by policy or newest")
		case i.Tag != "" && !imageTag.MatchString(i.Tag):
			bad("image.tag", "%q is not a tag", i.Tag)
		}
		if i.Policy != "" && i.Newest != "" {
			bad("image.newest", "one of policy and newest, not both")
		} else if _, err := i.Choice(); err != nil {
			field := "image.policy"
			if i.Newest != "" {
				field = "image.newest"
			}
			bad(field, "%v", err)
		}
	}
}

func (w Workload) validateEnv(bad func(field, format string, args ...any)) {
	for _, name := range slices.Sorted(maps.Keys(w.Env)) {
		e := w.Env[name]
		if len(validation.IsEnvVarName(name)) > 0 || strings.ContainsAny(name, "-.") {
			bad("env."+name, "not a name for a variable; letters, digits and _")
		}
		if e.Text == nil && (e.Secret == "" || e.Key == "") {
			bad("env."+name, "must be a text or {secret, key}")
		}
	}
}

// ValidateLabels reports labels that Kubernetes would refuse, or that are recsysd's own.
func ValidateLabels(labels map[string]string, bad func(field, format string, args ...any)) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case strings.HasPrefix(k, "recsysd.dev/"), k == labelName, k == labelInstance:
			bad("labels", "key %q: set by recsysd alone", k)
		case len(validation.IsQualifiedName(k)) > 0:
			bad("labels", "key %q: not a key for a Kubernetes label", k)
		case len(validation.IsValidLabelValue(labels[k])) > 0:
			bad("labels."+k, "%q: at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends", labels[k])
		}
	}
}
