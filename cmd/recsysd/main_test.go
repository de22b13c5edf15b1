package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"recsysd.dev/recsysd/examples"
)

// output is a writer that may be read while it is written to.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// invoke runs one command line as a shell would.
func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return invokeIn(t, real(), "", args...)
}

func invokeIn(t *testing.T, w world, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	p := &program{in: strings.NewReader(stdin), out: &out, err: &errs, world: w}
	code = p.execute(t.Context(), args)
	return code, out.String(), errs.String()
}

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMain(m *testing.M) {
	// Only what a test says may be found: no configuration of this machine, no supervisor.
	os.Unsetenv("NOTIFY_SOCKET")
	os.Unsetenv("WATCHDOG_USEC")
	os.Exit(m.Run())
}

func TestCheck(t *testing.T) {
	good := file(t, "stack.yaml", string(examples.Stack))
	code, out, errs := invoke(t, "check", good)
	if code != 0 || !strings.Contains(out, "stack recsys is well") || errs != "" {
		t.Errorf("the example is valid: %d %q %q", code, out, errs)
	}
	bad := file(t, "stack.yaml", strings.Replace(string(examples.Stack), "memory: 1Gi", "memroy: 1Gi", 1))
	code, out, errs = invoke(t, "check", bad)
	if code != 2 || out != "" || !strings.Contains(errs, `unknown field; did you mean "memory"?`) {
		t.Errorf("a mistake is one line on stderr and exit 2: %d %q %q", code, out, errs)
	}
	if lines := strings.Count(errs, "\n"); lines > 2 {
		t.Errorf("a mistake is told once, not as a trace: %q", errs)
	}
	if code, _, _ := invoke(t, "check", filepath.Join(t.TempDir(), "absent.yaml")); code != 2 {
		t.Error("a missing file is an error")
	}
}

func TestPlanOfAFileAgainstAnEmptyCloud(t *testing.T) {
	stack := file(t, "stack.yaml", string(examples.Stack))
	code, out, errs := invoke(t, "plan", "--cloud", "sim", "--file", stack)
	if code != 1 || !strings.Contains(out, "+ create   cluster/acme-gke") || errs != "" {
		t.Fatalf("an empty cloud means that everything is to be created: exit %d\n%s%s", code, out, errs)
	}
	code, out, errs = invoke(t, "--cloud=sim", "plan", "-o", "json", "--file", stack)
	if code != 1 {
		t.Fatalf("flags may stand anywhere: exit %d %s", code, errs)
	}
	var plan struct {
		Stack   string
		Steps   []struct{ Kind, Name, Verb string }
		Summary struct{ Create, Keep int }
	}
	if err := json.Unmarshal([]byte(out), &plan); err != nil {
		t.Fatalf("JSON and nothing else on stdout: %v\n%s", err, out)
	}
	if plan.Stack != "recsys" || plan.Summary.Create != len(plan.Steps) || plan.Summary.Keep != 0 {
		t.Errorf("every step is a create: %+v", plan)
	}
}

func TestWhatTheCommandLineRefuses(t *testing.T) {
	stack := file(t, "stack.yaml", string(examples.Stack))
	two := file(t, "config.yaml", "stacks:\n- {name: a, project: p, git: {url: /x}}\n- {name: b, project: p, git: {url: /x}}\n")
	for _, c := range []struct {
		reason, stderr string
		args           []string
	}{
		{"a command that does not exist", `unknown command "aply" for "recsysd"; did you mean apply?`, []string{"aply"}},
		{"a flag that does not exist", "unknown flag: --fiel", []string{"plan", "--fiel", "x"}},
		{"no configuration", "no such file or directory", []string{"plan", "--config", "/nonexistent/config.yaml"}},
		{"several stacks and none named", "several stacks are configured: name one with --stack: a b", []string{"plan", "--config", two}},
		{"a stack that is not configured", `no stack "c" is configured`, []string{"plan", "--stack", "c", "--config", two}},
		{"a cloud that does not exist", "--cloud aws: there is sim only", []string{"plan", "--file", stack, "--cloud", "aws"}},
		{"a simulated cloud without a file", "--cloud sim needs a stack file", []string{"plan", "--cloud", "sim"}},
		{"a format that does not exist", "--output yaml: text or json", []string{"plan", "-o", "yaml", "--cloud", "sim", "--file", stack}},
		{"a client without a daemon", "no daemon listens at /nonexistent/c.sock", []string{"status", "--socket", "/nonexistent/c.sock"}},
		{"a client that knows no socket", "or name the daemon's socket with --socket", []string{"status", "--config", "/nonexistent/config.yaml"}},
		{"suspend without a stack", "STACK is missing; usage: recsysd suspend STACK [KIND/NAME]", []string{"suspend"}},
		{"sleep without a workload", "WORKLOAD is missing; usage: recsysd sleep STACK WORKLOAD", []string{"sleep", "mlflow"}},
		{"a time without a unit", `"5" is not a duration; such as 90s, 5m, 7d`, []string{"sleep", "recsys", "api", "--for", "5"}},
		{"a time that is over", "a second at least", []string{"wake", "recsys", "api", "--for=-1h"}},
		{"a command of prices that does not exist", `unknown command "shwo" for "recsysd prices"; did you mean show?`, []string{"prices", "shwo"}},
		{"an argument where a flag is meant", `"stack.yaml" is one argument too many; usage: recsysd plan [flags]`, []string{"plan", "stack.yaml"}},
		{"two names for one stack", "a and --stack b name two stacks", []string{"history", "a", "--stack", "b", "--socket", "/nonexistent/c.sock"}},
		{"a demo's address without a port", "--listen localhost: must be HOST:PORT", []string{"demo", "--listen", "localhost", "--dir", "/nonexistent/demo"}},
	} {
		code, out, errs := invoke(t, c.args...)
		if code != 2 || out != "" || !strings.Contains(errs, c.stderr) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: recsysd %s: exit %d, stdout %q, stderr %q; want exit 2 and one line with %q",
				c.reason, strings.Join(c.args, " "), code, out, errs, c.stderr)
		}
	}
}

func TestVersionAndSchema(t *testing.T) {
	if _, out, _ := invoke(t, "--version"); !strings.HasPrefix(out, "recsysd dev go1.") {
		t.Errorf("--version says what version says: %q", out)
	}
	if code, out, _ := invoke(t, "version"); code != 0 || !strings.HasPrefix(out, "recsysd dev go1.") {
		t.Errorf("version: %d %q", code, out)
	}
	code, out, _ := invoke(t, "schema")
	if code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("the schema is JSON: %d %.80q", code, out)
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	_, out, _ := invoke(t)
	for _, name := range strings.Fields("run demo plan apply destroy check output status history drift sync suspend resume schema version") {
		if !strings.Contains(out, "\n  "+name+" ") {
			t.Errorf("%s is a command and not in the help", name)
		}
	}
}
