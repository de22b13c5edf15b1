package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"recsysd.dev/recsysd/test/parts"
)

// A real Prometheus scrapes the daemon with the rules that the project ships, and promtool finds nothing wrong with the metrics.
func TestPrometheusScrapes(t *testing.T) {
	prometheus, promtool := parts.Need(t, "prometheus", "prometheus"), parts.Need(t, "promtool", "prometheus")
	w := newWorld(t, "e2e-prometheus")
	w.start()
	w.eventually("the example converges", w.converged(w.push("the stack", w.example())))

	resp, err := http.Get("http://" + w.address() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = bytes.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}

	rules, err := filepath.Abs("../../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w.prometheus = w.runPrometheus(prometheus, rules)
	for _, expr := range []string{
		`up{job="recsysd"} == 1`,
		`recsysd_resource_usable{stack="e2e-prometheus",kind="bucket",name="acme-recsys-data"} == 1`,
		`recsysd_passes_total{outcome="converged"} > 0`,
		`recsysd_stack_valid == 1`,
		`sum(recsysd_resource_drift) == 0`,
	} {
		w.eventually("Prometheus answers "+expr, w.answers(expr))
	}
}

// runPrometheus runs one that scrapes the daemon and evaluates rules every second, and returns its address.
func (w *world) runPrometheus(program, rules string) string {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	config := w.write("prometheus.yaml", fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s]\nscrape_configs:\n- {job_name: recsysd, static_configs: [{targets: [%q]}]}\n", rules, w.address()))
	log, err := os.Create(w.path("prometheus.log"))
	if err != nil {
		w.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+w.path("tsdb"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return address
}
