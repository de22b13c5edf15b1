package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/view"
)

// TestMoneyOutlivesARestart runs the example, which costs some hundred dollars a month, under a budget of one dollar.
func TestMoneyOutlivesARestart(t *testing.T) {
	h := newHouse(t)
	stack, err := os.ReadFile(filepath.Join(h.dir, "infra", "stack.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	h.commit("stack.yaml", string(stack)+"\nbudget: {monthly: 1, warnAt: [1, 2]}\n")
	passed := regexp.MustCompile(`[A-Z][a-z]+ 20\d\d will have come to \$\d+\.\d\d, more than 2 % of the budget of \$1\.00`)

	address, stop := h.start()
	s := h.until("recsys", "the example converges", converged)
	if s.Cost == nil || s.Cost.Live.Sign() <= 0 || s.Cost.Passed != 2 || s.Cost.Since.IsZero() {
		t.Fatalf("a stack that runs costs something: %+v", s.Cost)
	}
	_, out, _ := invoke(t, "status", "--socket", h.client.Socket)
	if !strings.Contains(out, "  cost: $"+s.Cost.Scheduled.String()+" a month as wanted, $"+s.Cost.Live.String()+" now; ") || !passed.MatchString(out) {
		t.Errorf("the status says what it costs, and that this is too much:\n%s", out)
	}
	_, metrics := get(t, address, "/metrics")
	for _, line := range []string{`recsysd_cost_usd_total{stack="recsys"} `, `recsysd_cost_saved_usd_total{stack="recsys"} `, `recsysd_cost_forecast_usd{stack="recsys"} `, `recsysd_budget_passed_percent{stack="recsys"} 2` + "\n"} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	_, out, errs := invokeIn(t, h.world, "", "plan", "--config", h.config)
	if n := len(passed.FindAllString(out, -1)); n != 1 {
		t.Errorf("plan tells of the budget %d times:\n%s%s", n, out, errs)
	}
	log := stop()
	if n := len(passed.FindAllString(log, -1)); n != 1 {
		t.Errorf("the log tells of it %d times, not once", n)
	}

	_, stop = h.start()
	again := h.until("recsys", "it goes on", converged)
	if !again.Cost.Since.Equal(s.Cost.Since) || again.Cost.Spent.Compare(s.Cost.Spent) < 0 {
		t.Errorf("it counts on from %+v, and has %+v", s.Cost, again.Cost)
	}
	code, out, errs := invoke(t, "history", "recsys", "--config", h.config, "-o", "json")
	var told view.History
	if err := json.Unmarshal([]byte(out), &told); code != 0 || err != nil {
		t.Fatalf("recsysd history: %d %v %s", code, err, errs)
	}
	notes := 0
	for _, p := range told.Passes {
		notes += len(p.Notes)
	}
	if notes != 1 {
		t.Errorf("the history tells of it %d times, over a restart too, not once:\n%s", notes, out)
	}
	if log := stop(); passed.MatchString(log) {
		t.Error("it is told again after a restart")
	}

	// What has lost its money has lost nothing else.
	h.write("state/recsys/spent.json", "{")
	_, stop = h.start()
	last := h.until("recsys", "it goes on", converged)
	if !last.Cost.Since.After(s.Cost.Since) || last.Applied != s.Applied {
		t.Errorf("money begins anew, and nothing else does: %+v", last)
	}
	if log := stop(); strings.Count(log, "what was spent is lost") != 1 {
		t.Errorf("that is told once: %s", log)
	}

	// Who takes the stack down without the daemon keeps its books all the same.
	code, out, errs = invokeIn(t, h.world, "", "destroy", "--yes", "recsys", "--config", h.config)
	b, err := os.ReadFile(filepath.Join(h.dir, "state/recsys/spent.json"))
	if code != 0 || err != nil {
		t.Fatalf("recsysd destroy: %d %s%s %v", code, out, errs, err)
	}
	if strings.Contains(string(b), "Deployment/") {
		t.Errorf("what was taken down still costs: %s", b)
	}
}
