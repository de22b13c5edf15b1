package terraform

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Bounds of what is read: a configuration is written by hand, and anything beyond is a mistake or an attack on the parser's stack.
const (
	maxSource  = 1 << 20
	maxNesting = 200
	maxRun     = 200 // unary or conditional operators in a row
)

// Source is a file of a configuration.
type Source struct {
	Name string
	Data []byte
}

// Options say how a configuration is read.
type Options struct {
	// Only holds the names of the sources whose resources are wanted; the others are for values. nil: all.
	Only []string
	// Values are files of variables (.tfvars), the later ones winning.
	Values []Source
	// Given are variables by name, as on Terraform's command line. They win over everything.
	Given map[string]string
}

// ReadConfig reads the configuration of one folder. The error joins every mistake of syntax, one line each.
func ReadConfig(sources []Source, o Options) (Model, error) {
	m := newModule()
	var errs []error
	for _, s := range sources {
		body, err := parse(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m.collect(body)
	}
	for _, s := range o.Values {
		errs = append(errs, m.readValues(s))
	}
	if err := errors.Join(append(errs, m.give(o.Given))...); err != nil {
		return Model{}, err
	}
	model := Model{}
	for _, s := range sources {
		if o.Only == nil || slices.Contains(o.Only, s.Name) {
			model.Source = strings.Trim(model.Source+", "+s.Name, ", ")
		}
	}
	for _, b := range m.blocks {
		file := b.TypeRange.Filename
		if o.Only == nil || slices.Contains(o.Only, file) {
			m.addBlock(&model, b)
		}
	}
	model.Project = m.wellKnown("project", "project_id", "project", "gcp_project", "gcp_project_id")
	model.Region = m.wellKnown("region", "region", "gcp_region", "location")
	return model, nil
}

// parse reads one file. The error has a line for each mistake.
func parse(s Source) (*hclsyntax.Body, error) {
	if strings.HasSuffix(s.Name, ".json") {
		return nil, fmt.Errorf("%s: configuration as JSON is not read; write it as .tf, or import the state", s.Name)
	}
	if len(s.Data) > maxSource {
		return nil, fmt.Errorf("%s: larger than %d bytes: not a configuration", s.Name, maxSource)
	}
	if err := bounded(s); err != nil {
		return nil, err
	}
	f, diags := hclsyntax.ParseConfig(s.Data, s.Name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, explain(diags)
	}
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok {
		return nil, fmt.Errorf("%s: not a configuration", s.Name)
	}
	return body, nil
}

// bounded refuses what is nested so deeply that the parser, which recurses, would run out of stack.
func bounded(s Source) error {
	tokens, diags := hclsyntax.LexConfig(s.Data, s.Name, hcl.InitialPos)
	if diags.HasErrors() {
		return explain(diags)
	}
	depth, run := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenQuestion, hclsyntax.TokenColon:
			run++
		case hclsyntax.TokenNewline:
			run = 0
		}
		if depth > maxNesting || run > maxRun {
			return fmt.Errorf("%s: nested too deeply to be a configuration", at(s.Name, t.Range.Start))
		}
	}
	return nil
}

func at(file string, p hcl.Pos) string { return fmt.Sprintf("%s:%d:%d", file, p.Line, p.Column) }

func place(r hcl.Range) string { return at(r.Filename, r.Start) }

// explain is a line for each mistake.
func explain(diags hcl.Diagnostics) error {
	var errs []error
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		text := say(d)
		if d.Subject != nil {
			text = place(*d.Subject) + ": " + text
		}
		errs = append(errs, errors.New(text))
	}
	return errors.Join(errs...)
}

// say is a mistake in one line, begun as an error is.
func say(d *hcl.Diagnostic) string {
	text := line(d.Summary)
	if detail := line(d.Detail); detail != "" {
		text += ": " + detail
	}
	if len(text) > 1 && text[1] >= 'a' && text[1] <= 'z' {
		text = strings.ToLower(text[:1]) + text[1:]
	}
	return strings.TrimSuffix(text, ".")
}

// addBlock takes in a top-level block that may be a resource.
func (m *module) addBlock(model *Model, b *hclsyntax.Block) {
	where := place(b.TypeRange)
	skip := func(format string, args ...any) {
		model.Skipped = append(model.Skipped, where+": "+fmt.Sprintf(format, args...))
	}
	switch {
	case b.Type == "module":
		skip("module.%s: modules are not followed; import the state, which has their resources", line(strings.Join(b.Labels, ".")))
		return
	case b.Type != "resource":
		return
	case len(b.Labels) != 2:
		skip("a resource has a type and a name")
		return
	}
	r := Resource{Type: b.Labels[0], Name: b.Labels[1], Place: where}
	if !known(r.Type) {
		model.Resources = append(model.Resources, r)
		return
	}
	if a := b.Body.Attributes["for_each"]; a != nil {
		skip("%s: for_each makes several of it; import the state, which has each", r.Address())
		return
	}
	if a := b.Body.Attributes["count"]; a != nil {
		v, u := m.value(a.Expr)
		n, _ := plain(v).(fmt.Stringer)
		switch {
		case u != nil || n == nil || n.String() != "0" && n.String() != "1":
			skip("%s: count makes several of it; import the state, which has each", r.Address())
			return
		case n.String() == "0":
			return
		}
	}
	r.Attributes = m.attributes(b.Body)
	model.Resources = append(model.Resources, r)
}

// metaArguments are Terraform's own, not the resource's.
var metaArguments = []string{"count", "for_each", "depends_on", "provider", "lifecycle", "timeouts", "connection", "provisioner"}

// attributes are those of a block, with the blocks in it as lists of mappings.
func (m *module) attributes(body *hclsyntax.Body) map[string]any {
	out := map[string]any{}
	for name, a := range body.Attributes {
		if slices.Contains(metaArguments, name) {
			continue
		}
		out[name] = m.known(a.Expr)
	}
	for _, b := range body.Blocks {
		switch {
		case slices.Contains(metaArguments, b.Type):
		case b.Type == "dynamic" && len(b.Labels) == 1:
			list, _ := out[b.Labels[0]].([]any)
			out[b.Labels[0]] = append(list, unknown{place(b.TypeRange), "a dynamic block is not evaluated; import the state"})
		default:
			list, _ := out[b.Type].([]any)
			out[b.Type] = append(list, m.attributes(b.Body))
		}
	}
	return out
}

// wellKnown is what the provider says of key, else the first variable of these names that has a value.
func (m *module) wellKnown(key string, names ...string) string {
	for _, b := range m.blocks {
		if b.Type != "provider" || len(b.Labels) != 1 || !strings.HasPrefix(b.Labels[0], "google") {
			continue
		}
		if a := b.Body.Attributes[key]; a != nil {
			if s, ok := m.known(a.Expr).(string); ok && s != "" {
				return s
			}
		}
	}
	for _, name := range names {
		if v, u := m.variable(name, hcl.Range{}); u == nil {
			if s, ok := plain(v).(string); ok && s != "" {
				return s
			}
		}
	}
	return ""
}

// derived are attributes that follow from others: what one resource says of another by reference.
func (m *module) derived(b *hclsyntax.Block, attribute string) (cty.Value, bool) {
	text := func(key string) string {
		a := b.Body.Attributes[key]
		if a == nil {
			return ""
		}
		s, _ := m.known(a.Expr).(string)
		return s
	}
	name := text("name")
	switch b.Labels[0] + "." + attribute {
	case "google_container_cluster.id", "google_compute_network.id", "google_compute_network.self_link",
		"google_compute_subnetwork.id", "google_compute_subnetwork.self_link", "google_storage_bucket.id",
		"google_compute_router.id", "google_compute_router.self_link":
	case "google_artifact_registry_repository.id", "google_artifact_registry_repository.name":
		name = text("repository_id")
	case "google_service_account.email":
		project := text("project")
		if project == "" {
			project = m.wellKnown("project", "project_id", "project")
		}
		if name = text("account_id"); name != "" && project != "" {
			return cty.StringVal(name + "@" + project + ".iam.gserviceaccount.com"), true
		}
		return cty.NilVal, false
	default:
		return cty.NilVal, false
	}
	// Only the end of such a reference is looked at, and it is the name.
	return cty.StringVal(path.Base(name)), name != ""
}
