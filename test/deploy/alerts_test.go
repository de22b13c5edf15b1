package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"recsysd.dev/recsysd/test/parts"
)

const monitoring = deploy + "/prometheus"

// alert is one of rules.yaml.
type alert struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

// expectation is what a test of promtool wants of an alert at a moment.
type expectation struct {
	Alertname string
	EvalTime  string `yaml:"eval_time"`
	Alerts    []any  `yaml:"exp_alerts"`
}

func read[V any](t *testing.T, path string) (v V) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	type file struct{ Groups []struct{ Rules []alert } }
	for _, g := range read[file](t, filepath.Join(monitoring, "rules.yaml")).Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no alerts")
	}
	return all
}

func ruleTests(t *testing.T) []string {
	t.Helper()
	tests, err := filepath.Glob(filepath.Join(monitoring, "*_test.yaml"))
	if err != nil || len(tests) == 0 {
		t.Fatal(tests, err)
	}
	return tests
}

func TestAlertRules(t *testing.T) {
	promtool := parts.Need(t, "promtool", "prometheus")
	commands := [][]string{{"check", "rules", "rules.yaml"}}
	for _, file := range ruleTests(t) {
		commands = append(commands, []string{"test", "rules", filepath.Base(file)})
	}
	for _, args := range commands {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = monitoring
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// Every alert is seen quiet, then firing, then resolved by promtool's tests; the watchdog never rests.
func TestAlertsAreTested(t *testing.T) {
	seen := map[string]string{} // per alert, what one test expects in the order of time
	for _, file := range ruleTests(t) {
		type tests struct {
			Tests []struct {
				Name   string
				Alerts []expectation `yaml:"alert_rule_test"`
			}
		}
		for _, test := range read[tests](t, file).Tests {
			course, last := map[string]string{}, map[string]time.Duration{}
			for _, e := range test.Alerts {
				at, err := time.ParseDuration(strings.Replace(e.EvalTime, "1d", "24h", 1))
				if err != nil || at < last[e.Alertname] {
					t.Errorf("%s: %s at %s: out of order, %v", test.Name, e.Alertname, e.EvalTime, err)
				}
				last[e.Alertname] = at
				if len(e.Alerts) > 0 {
					course[e.Alertname] += "fires "
				} else {
					course[e.Alertname] += "quiet "
				}
			}
			for name, c := range course {
				seen[name] += c + "; "
			}
		}
	}
	whole := regexp.MustCompile(`quiet (fires )+quiet `)
	for _, a := range alerts(t) {
		if a.Alert == "RecsysdWatchdog" {
			if seen[a.Alert] != "fires fires ; " {
				t.Errorf("the watchdog: %s", seen[a.Alert])
			}
		} else if !whole.MatchString(seen[a.Alert]) {
			t.Errorf("no test sees %s quiet, firing and resolved: %s", a.Alert, seen[a.Alert])
		}
	}
}

// Every alert says what it is about and what to do, and is explained where its reader looks.
func TestAlertsSayWhatToDo(t *testing.T) {
	docs, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(docs), "\n### Alerts\n")
	if !found {
		t.Fatal("docs/operations.md has no section Alerts, which the alerts point to")
	}
	of := regexp.MustCompile(`\$labels\.(stack|kind|name|instance)`)
	for _, a := range alerts(t) {
		if !strings.Contains(section, "\n| "+a.Alert+" |") {
			t.Errorf("docs/operations.md has no row for %s", a.Alert)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" || a.Annotations["runbook"] != "docs/operations.md#alerts" {
			t.Errorf("%s lacks a summary, a description or where to read on: %v", a.Alert, a.Annotations)
		}
		if strings.Contains(a.Expr, "recsysd_") && a.Alert != "RecsysdConfigInvalid" && !of.MatchString(a.Annotations["summary"]) {
			t.Errorf("%s does not say of what: %s", a.Alert, a.Annotations["summary"])
		}
		if s := a.Labels["severity"]; s != "critical" && s != "warning" && s != "info" && (s != "none" || a.Alert != "RecsysdWatchdog") {
			t.Errorf("%s has severity %q", a.Alert, s)
		}
	}
}

// metricsIn are the names in an expression.
var metricsIn = regexp.MustCompile(`\brecsysd_\w+`)

// exported are the metrics of docs/metrics.md, which is held to what the program exports.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	docs, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(recsysd_\\w+)[^`]*` \\| (\\w+) \\|").FindAllSubmatch(docs, -1) {
		all[string(m[1])] = true
		if string(m[2]) == "histogram" {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				all[string(m[1])+suffix] = true
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("no metrics in docs/metrics.md")
	}
	return all
}

func TestAlertsAskForWhatThereIs(t *testing.T) {
	known := exported(t)
	for _, a := range alerts(t) {
		for _, name := range metricsIn.FindAllString(a.Expr, -1) {
			if !known[name] {
				t.Errorf("%s asks for %s, which is not in docs/metrics.md", a.Alert, name)
			}
		}
	}
}
