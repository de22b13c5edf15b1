package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"recsysd.dev/recsysd/test/parts"
)

const dashboardFile = deploy + "/grafana/recsysd.json"

// dashboard is what is checked here of one, beside its schema.
type dashboard struct {
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Datasource  struct{ Type, UID string }
		Targets     []struct {
			RefID, Expr string
			Datasource  struct{ UID string }
		}
	}
	Templating  struct{ List []struct{ Name, Type string } }
	Annotations struct{ List []struct{ Expr string } }
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	b, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("no panels")
	}
	return d
}

// The dashboard keeps to the schema that Grafana publishes, and the check is one that finds mistakes.
func TestDashboardKeepsToGrafanasSchema(t *testing.T) {
	checker := filepath.Join(t.TempDir(), "grafana")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", checker, ".")
	build.Dir = "../grafana"
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.Command(checker, dashboardFile).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, why string }{
		{`"showHeader": true`, `"showHeader": "yes"`, "a word for a yes or no"},
		{`"unit": "s"`, `"units": "s"`, "a key that no panel has"},
		{`"schemaVersion": 39,`, ``, "a required key that is missing"},
		{`"legendFormat"`, `"legend"`, "a key that no query has"},
	} {
		bad := filepath.Join(t.TempDir(), "bad.json")
		text := strings.Replace(string(b), c.from, c.to, 1)
		if text == string(b) {
			t.Fatalf("the dashboard has no %s", c.from)
		}
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(checker, bad).CombinedOutput(); err == nil {
			t.Errorf("%s passes: %s", c.why, out)
		}
	}
}

func TestDashboardIsLaidOut(t *testing.T) {
	d := readDashboard(t)
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] {
			t.Errorf("%s: id %d is none, or another's", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
			t.Errorf("%s lies outside the 24 columns: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name+" "+v.Type)
	}
	if got := strings.Join(variables, ", "); got != "datasource datasource, stack query" {
		t.Errorf("the variables are %s", got)
	}
}

// Every panel asks the data source that the person chooses, for what there is, of the stacks that the person chooses.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	d, known, asked := readDashboard(t), exported(t), map[string]bool{}
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if p.Datasource.Type != "prometheus" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%s asks %+v %d things", p.Title, p.Datasource, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.RefID == "" || refs[q.RefID] || q.Datasource.UID != "${datasource}" {
				t.Errorf("%s: refId %q is none, or another's, or asks %q", p.Title, q.RefID, q.Datasource.UID)
			}
			refs[q.RefID] = true
			for _, name := range metricsIn.FindAllString(q.Expr, -1) {
				asked[name] = true
				if !known[name] {
					t.Errorf("%s asks for %s, which is not in docs/metrics.md", p.Title, name)
				}
			}
		}
	}
	for name := range known {
		if strings.Contains(name, "_cost_") || strings.Contains(name, "_budget_") || strings.Contains(name, "_drift") || strings.Contains(name, "_resource_") {
			if !asked[name] && !strings.HasSuffix(name, "_bucket") {
				t.Errorf("no panel shows %s", name)
			}
		}
	}
}

// Prometheus' own parser takes every query: as rules, since promtool can check those without a server.
func TestDashboardsQueriesParse(t *testing.T) {
	promtool := parts.Need(t, "promtool", "prometheus")
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	add := func(expr string) {
		expr = strings.NewReplacer("$__rate_interval", "1m", "$stack", "recsys").Replace(expr)
		if strings.Contains(expr, "$") {
			t.Errorf("a variable that nobody knows is in %s", expr)
		}
		rules = append(rules, rule{fmt.Sprint("query:", len(rules)), expr})
	}
	d := readDashboard(t)
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			add(q.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		add(a.Expr)
	}
	b, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "queries.yaml")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
