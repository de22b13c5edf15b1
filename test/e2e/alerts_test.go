package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/test/parts"
)

// The trouble that alerts are about, made in the real daemon: each fires in Debian's Prometheus by the rules that the project ships, of
// which nothing but the durations is changed, names what it is about, and resolves when the trouble is over. While there is trouble, every
// query of the dashboard has an answer.
func TestAlertsAndDashboard(t *testing.T) {
	prometheus := parts.Need(t, "prometheus", "prometheus")
	w := newWorld(t, "e2e-alerts")
	w.configure(fmt.Sprintf(writesBack, "main") + "interval: 2s\n") // without an image that follows a policy there is nothing to write, and nothing that fails
	stack := func(monthly string) string {
		return edit(t, w.bare("  api: {image: \"nginx:1.26\", port: 80, cpu: 100m, memory: 64Mi, replicas: 1}\n"), `(?m)^buckets: .*\n`, "") +
			"budget: {monthly: " + monthly + "}\n"
	}
	commit := w.push("the stack", stack("1000"))
	w.start()
	w.eventually("it converges", w.converged(commit))
	w.prometheus = w.runPrometheus(prometheus, w.write("rules.yaml", hastened(t)))

	w.eventually("all rules are evaluated", w.rulesAreWell())
	w.eventually("a stack that is well is quiet", w.fires())
	w.push("a key that there is not", strings.Replace(stack("1000"), "replicas:", "replicsa:", 1))
	w.eventually("the invalid stack is told", w.fires("RecsysdStackInvalid e2e-alerts"))
	w.push("mended, with a budget that is too small", stack("1"))
	w.eventually("that is over, and the budget is told", w.fires("RecsysdBudgetExceeded e2e-alerts"))
	w.push("more, than which nothing may cost more", strings.Replace(stack("1, onExceed: hold"), "replicas: 1", "replicas: 2", 1))
	w.eventually("the commit that is held by its budget is told", w.fires("RecsysdBudgetExceeded e2e-alerts", "RecsysdBudgetHeld e2e-alerts"))
	commit = w.push("a larger budget", stack("1000"))
	w.eventually("that is over too", w.fires())
	w.eventually("all is well", w.converged(commit))

	const api = " e2e-alerts Deployment e2e-alerts/api"
	if _, err := w.recsysd("suspend", w.stack, "Deployment/e2e-alerts/api", "--reason", "an inspection"); err != nil {
		t.Fatal(err)
	}
	w.kubectl("scale", "deployment/api", "--replicas=10")
	w.eventually("drift that nobody repairs is told, of the resource", w.fires("RecsysdDrift"+api, "RecsysdHeld"+api))
	w.push("a commit, which the dashboard marks", stack("1001"))
	for title, expr := range dashboardQueries(t) {
		w.eventually(title+" has data: "+expr, w.answers(expr))
	}
	if _, err := w.recsysd("resume", w.stack, "Deployment/e2e-alerts/api"); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is put back, and nothing more is told", w.fires())
}

// duration of an alert's rule: how long it waits, how old something must be, or over what it looks back.
var duration = regexp.MustCompile(`(?m)^( +for: )\S+$|(_seconds > )(600|900|3600)\b|\[(15m|1h)\]`)

// hastened are the alerts that the project ships, with shorter durations.
func hastened(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	short := map[string]string{"600": "3", "900": "30", "3600": "60", "15m": "15s", "1h": "60s"}
	return duration.ReplaceAllStringFunc(string(b), func(s string) string {
		m := duration.FindStringSubmatch(s)
		switch {
		case m[1] != "":
			return m[1] + "2s"
		case m[2] != "":
			return m[2] + short[m[3]]
		default:
			return "[" + short[m[4]] + "]"
		}
	})
}

// ofPrometheus reads what its HTTP interface answers.
func ofPrometheus[V any](w *world, path string) (data V, err error) {
	resp, err := http.Get("http://" + w.prometheus + "/api/v1/" + path)
	if err != nil {
		return data, err
	}
	defer resp.Body.Close()
	var v struct {
		Status, Error string
		Data          V
	}
	err = json.NewDecoder(resp.Body).Decode(&v)
	if err == nil && v.Status != "success" {
		err = fmt.Errorf("%s: %s", path, v.Error)
	}
	return v.Data, err
}

// answers says what is missing until Prometheus has data for an expression.
func (w *world) answers(expr string) func() error {
	return func() error {
		v, err := ofPrometheus[struct{ Result []any }](w, "query?query="+url.QueryEscape(expr))
		if err == nil && len(v.Result) == 0 {
			err = fmt.Errorf("%s has no result", expr)
		}
		return err
	}
}

// fires demands that these alerts fire, each followed by its stack, kind and name, and none besides the watchdog.
func (w *world) fires(want ...string) func() error {
	return func() error {
		v, err := ofPrometheus[struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}](w, "alerts")
		if err != nil {
			return err
		}
		var got []string
		for _, a := range v.Alerts {
			if a.State == "firing" {
				l := a.Labels
				got = append(got, strings.TrimSpace(strings.Join([]string{l["alertname"], l["stack"], l["kind"], l["name"]}, " ")))
			}
		}
		slices.Sort(got)
		all := append([]string{"RecsysdWatchdog"}, want...)
		slices.Sort(all)
		return same(strings.Join(got, ", "), strings.Join(all, ", "))
	}
}

// rulesAreWell demands that Prometheus has evaluated every alert of the file without an error.
func (w *world) rulesAreWell() func() error {
	b, err := os.ReadFile("../../deploy/prometheus/rules.yaml")
	if err != nil {
		w.Fatal(err)
	}
	want := strings.Count(string(b), "- alert: ")
	return func() error {
		v, err := ofPrometheus[struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}](w, "rules")
		if err != nil {
			return err
		}
		n := 0
		for _, g := range v.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" {
					return fmt.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
				}
				n++
			}
		}
		return same(n, want)
	}
}

// dashboardQueries are the queries of the dashboard by the panel's title, with what Grafana puts in for its variables.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../../deploy/grafana/recsysd.json")
	if err != nil {
		t.Fatal(err)
	}
	type query struct{ RefID, Expr string }
	var d struct {
		Panels []struct {
			Title   string
			Targets []query
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	all, variables := map[string]string{}, strings.NewReplacer("$__rate_interval", "15s", "$stack", "e2e-alerts")
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all[p.Title+" "+q.RefID] = variables.Replace(q.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		all[a.Name] = variables.Replace(a.Expr)
	}
	if len(all) < 40 {
		t.Fatalf("only %d queries", len(all))
	}
	return all
}
