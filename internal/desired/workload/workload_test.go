package workload_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/desired/workload"
)

var here = workload.Setting{Stack: "recsys", Namespace: "ml", Name: "web", Image: "x:1"}

func valid() workload.Workload {
	return workload.Workload{Image: workload.Image{Reference: "x:1"}, CPU: "1", Memory: "1Gi"}
}

// made returns the objects of w by kind.
func made(w workload.Workload, s workload.Setting) map[string]map[string]any {
	by := map[string]map[string]any{}
	for _, o := range w.Objects(s) {
		by[o["kind"].(string)] = o
	}
	return by
}

// at walks maps and lists.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("%v: no mapping at %q", path, s)
			}
			v = m[s]
		case int:
			l, ok := v.([]any)
			if !ok || s >= len(l) {
				t.Fatalf("%v: no item %d", path, s)
			}
			v = l[s]
		}
	}
	return v
}

func pod(t *testing.T, o map[string]any) map[string]any {
	return at(t, o, "spec", "template", "spec").(map[string]any)
}

func container(t *testing.T, o map[string]any) map[string]any {
	return at(t, pod(t, o), "containers", 0).(map[string]any)
}

func pointer[T any](v T) *T { return &v }

func TestKindsOfObjects(t *testing.T) {
	for _, c := range []struct {
		reason string
		change func(*workload.Workload)
		want   string
	}{
		{"neither port nor disk", func(*workload.Workload) {}, "Deployment NetworkPolicy ServiceAccount"},
		{"a port gets a Service", func(w *workload.Workload) { w.Port = 80 }, "Deployment NetworkPolicy Service ServiceAccount"},
		{"a disk makes it a StatefulSet with a claim of its own", func(w *workload.Workload) {
			w.Disk = &workload.Disk{Size: "1Gi", Mount: "/data"}
		}, "NetworkPolicy PersistentVolumeClaim ServiceAccount StatefulSet"},
	} {
		w := valid()
		c.change(&w)
		var kinds []string
		for kind, o := range made(w, here) {
			kinds = append(kinds, kind)
			if ns := at(t, o, "metadata", "namespace"); ns != "ml" {
				t.Errorf("%s: %s in namespace %v", c.reason, kind, ns)
			}
		}
		slices.Sort(kinds)
		if got := strings.Join(kinds, " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.reason, got, c.want)
		}
	}
}

// Where there may be several pods, a drain takes them one at a time; also those that an autoscaler has added to the one it keeps.
func TestDisruptionBudget(t *testing.T) {
	for _, c := range []struct {
		why      string
		replicas *workload.Replicas
		want     bool
	}{
		{"nothing said", nil, false},
		{"one pod", &workload.Replicas{Count: pointer(1)}, false},
		{"two pods", &workload.Replicas{Count: pointer(2)}, true},
		{"one to three", &workload.Replicas{Min: 1, Max: 3, CPU: pointer(70)}, true},
		{"an autoscaler that never adds one", &workload.Replicas{Min: 1, Max: 1, CPU: pointer(70)}, false},
	} {
		w := valid()
		w.Replicas = c.replicas
		budget := made(w, here)["PodDisruptionBudget"]
		if (budget != nil) != c.want {
			t.Errorf("%s: budget %v, want one: %v", c.why, budget, c.want)
		} else if budget != nil && at(t, budget, "spec", "maxUnavailable") != int64(1) {
			t.Errorf("%s: %v; what demands that one is available would stop every drain while there is one", c.why, budget["spec"])
		}
	}
}

func TestOwnershipIsNowhereThatCannotChange(t *testing.T) {
	w := valid()
	w.Labels = map[string]string{"tier": "front"}
	d := made(w, here)["Deployment"]
	for _, path := range [][]any{{"spec", "selector", "matchLabels"}, {"spec", "template", "metadata", "labels"}} {
		for key := range at(t, d, path...).(map[string]any) {
			if strings.HasPrefix(key, "recsysd.dev/") || key == "app.kubernetes.io/managed-by" {
				t.Errorf("%v holds %s: selectors are immutable, and a changed template rolls the pods", path, key)
			}
		}
	}
	if at(t, d, "spec", "selector", "matchLabels", "tier") != nil {
		t.Error("a label of the stack file must not be in the selector, which cannot change")
	}
	if at(t, d, "spec", "template", "metadata", "labels", "tier") != "front" {
		t.Error("a workload's labels are its pods', too")
	}
}

func TestRollout(t *testing.T) {
	w := valid()
	w.Port = 80
	d := made(w, here)["Deployment"]
	if at(t, d, "spec", "strategy", "rollingUpdate", "maxUnavailable") != int64(0) {
		t.Error("a rolling update must not take a pod away before its successor is ready")
	}
	if at(t, container(t, d), "lifecycle", "preStop", "sleep", "seconds") == nil {
		t.Error("without a pause before its end a pod still gets requests that it no longer answers")
	}
	if at(t, d, "spec", "progressDeadlineSeconds").(int64) < 900 {
		t.Error("a node has to be made and a large image pulled before a rollout can be called stuck")
	}
	if _, ok := d["spec"].(map[string]any)["replicas"]; ok {
		t.Error("replicas that nobody declared belong to whatever scales the workload")
	}
	w.Replicas = &workload.Replicas{Count: pointer(0)}
	if at(t, made(w, here)["Deployment"], "spec", "replicas") != int64(0) {
		t.Error("zero is a value")
	}
}

func TestResources(t *testing.T) {
	got := container(t, made(valid(), here)["Deployment"])["resources"]
	if text := fmt.Sprint(got); text != "map[limits:map[memory:1Gi] requests:map[cpu:1 memory:1Gi]]" {
		t.Errorf("requests are what is declared, the limit of memory the same, and CPU has none: %s", text)
	}
}

func TestPodsGetNoTokenAndNoServiceLinks(t *testing.T) {
	objects := made(valid(), here)
	spec := pod(t, objects["Deployment"])
	if spec["automountServiceAccountToken"] != false || objects["ServiceAccount"]["automountServiceAccountToken"] != false {
		t.Error("a pod that does not talk to the Kubernetes API needs no token for it")
	}
	if spec["enableServiceLinks"] != false || spec["serviceAccountName"] != "web" {
		t.Errorf("pod: %v", spec)
	}
}

func TestUser(t *testing.T) {
	w := valid()
	d := made(w, here)["Deployment"]
	security := at(t, pod(t, d), "securityContext").(map[string]any)
	if len(security) != 1 || container(t, d)["securityContext"] != nil {
		t.Errorf("without a user the image decides, and nothing that its start needs is dropped: %v", security)
	}
	w.User = pointer(int64(999))
	w.Disk = &workload.Disk{Size: "1Gi", Mount: "/data"}
	security = at(t, pod(t, made(w, here)["StatefulSet"]), "securityContext").(map[string]any)
	for key, want := range map[string]any{"runAsUser": int64(999), "fsGroup": int64(999), "runAsNonRoot": true, "fsGroupChangePolicy": "OnRootMismatch"} {
		if security[key] != want {
			t.Errorf("%s: got %v, want %v", key, security[key], want)
		}
	}
}

func TestDisk(t *testing.T) {
	w := valid()
	w.Disk = &workload.Disk{Size: "10Gi", Mount: "/data"}
	objects := made(w, here)
	set := objects["StatefulSet"]
	if set["spec"].(map[string]any)["volumeClaimTemplates"] != nil {
		t.Error("a claim made by a template would be nobody's: neither protected nor seen")
	}
	claim := at(t, pod(t, set), "volumes", 0, "persistentVolumeClaim", "claimName")
	if claim != workload.Claim("web") || at(t, objects["PersistentVolumeClaim"], "metadata", "name") != claim {
		t.Errorf("the pod must mount the workload's claim, not %v", claim)
	}
	if at(t, container(t, set), "volumeMounts", 0, "mountPath") != "/data" {
		t.Error("the disk is mounted at its root")
	}
	if container(t, set)["lifecycle"] != nil {
		t.Error("a pod whose successor waits for its disk does not linger")
	}
}

func TestSpot(t *testing.T) {
	w := valid()
	w.Spot = true
	spec := pod(t, made(w, here)["Deployment"])
	if at(t, spec, "nodeSelector", "cloud.google.com/gke-spot") != "true" || spec["terminationGracePeriodSeconds"].(int64) > 25 {
		t.Errorf("spot capacity gives 25 seconds: %v", spec)
	}
}

func TestProbes(t *testing.T) {
	w := valid()
	w.Port = 80
	c := container(t, made(w, here)["Deployment"])
	if at(t, c, "readinessProbe", "tcpSocket", "port") != int64(80) || c["livenessProbe"] != nil {
		t.Errorf("without a health path, being reachable is enough and nothing is restarted: %v", c)
	}
	w.Health = "/healthz"
	c = container(t, made(w, here)["Deployment"])
	for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		if at(t, c, probe, "httpGet", "path") != "/healthz" {
			t.Errorf("no %s on the health path", probe)
		}
	}
	w.Port, w.Health = 0, ""
	if c = container(t, made(w, here)["Deployment"]); c["readinessProbe"] != nil || c["ports"] != nil {
		t.Error("without a port there is nothing to ask")
	}
}

func TestNetworkPolicy(t *testing.T) {
	w := valid()
	w.Port = 5432
	policy := func(usedBy ...string) string {
		s := here
		s.UsedBy = usedBy
		text, err := json.Marshal(at(t, made(w, s)["NetworkPolicy"], "spec", "ingress"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if got := policy(); got != "[]" {
		t.Errorf("nobody uses it, so nobody may reach it: %s", got)
	}
	from := func(name string) string {
		return `{"podSelector":{"matchLabels":{"app.kubernetes.io/instance":"recsys","app.kubernetes.io/name":"` + name + `"}}}`
	}
	want := `[{"from":[` + from("api") + `,` + from("job") + `],"ports":[{"port":5432,"protocol":"TCP"}]}]`
	if got := policy("job", "api"); got != want {
		t.Errorf("its users, on its port, whatever their order:\n%s\n%s", got, want)
	}
}

func TestEnvironment(t *testing.T) {
	w := valid()
	w.Env = map[string]workload.Env{
		"A":          {Text: pointer("x $(PASSWORD)")},
		"PASSWORD":   {Secret: "db", Key: "password"},
		"REDIS_HOST": {Text: pointer("elsewhere")},
	}
	s := here
	s.Uses = []workload.Peer{{Name: "my-db", Port: 5432}, {Name: "redis", Port: 6379}}
	var got []string
	for _, e := range container(t, made(w, s)["Deployment"])["env"].([]any) {
		v := e.(map[string]any)
		got = append(got, fmt.Sprint(v["name"], "=", v["value"]))
	}
	want := []string{"PASSWORD=<nil>", "MY_DB_HOST=my-db", "MY_DB_PORT=5432", "REDIS_PORT=6379", "A=x $(PASSWORD)", "REDIS_HOST=elsewhere"}
	if !slices.Equal(got, want) {
		t.Errorf("secret ones first, so that a text can use them; then where the used ones are, unless said otherwise:\n got %q\nwant %q", got, want)
	}
}

func TestObjectsAreTheSameEveryTime(t *testing.T) {
	w := valid()
	w.Env = map[string]workload.Env{}
	for i := range 20 {
		w.Env[fmt.Sprint("V", i)] = workload.Env{Text: pointer("x")}
	}
	first, err := json.Marshal(w.Objects(here))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if again, _ := json.Marshal(w.Objects(here)); string(again) != string(first) {
			t.Fatal("the order of variables changes from one time to the next, which would roll the pods")
		}
	}
}
