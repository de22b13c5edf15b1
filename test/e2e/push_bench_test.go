package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

// The time from a push to the write of the object that it changes, which the API server's audit log has. The host tells of the push by a
// webhook as soon as git push has returned; a repository on the same machine is watched. Each turn of the loop is one commit.
func BenchmarkPush(b *testing.B) {
	for _, way := range []string{"webhook", "file"} {
		b.Run("example/"+way, func(b *testing.B) {
			w := newWorld(b, "bench-push-"+way)
			w.configure("interval: 60s\n")
			pushes(b, w, way, w.example()+"manifests: [extra.yaml]\n", "extra.yaml", "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-00000}\ndata: {n: \"0\"}\n")
		})
		for _, n := range []int{1000, 10_000} {
			b.Run(fmt.Sprintf("%d/%s", n, way), func(b *testing.B) {
				w := newWorld(b, fmt.Sprintf("bench-push-%d-%s", n, way))
				stack, files := w.crowd(n, "interval: 60s\n")
				pushes(b, w, way, stack, files...)
			})
		}
	}
}

// pushes measures commits to the first of the files, which holds the ConfigMap c-00000 with n: "0".
func pushes(b *testing.B, w *world, way, stack string, files ...string) {
	w.level = "info"
	w.tellBy(way)
	began := time.Now()
	commit := w.push("the stack", stack, files...)
	w.start()
	w.within(10*time.Minute, "the stack converges", w.converged(commit))
	b.Logf("it converged %s after the first push", time.Since(began).Round(time.Millisecond))
	time.Sleep(2 * time.Second) // the last events of the first apply
	var whole, since []time.Duration
	var requests int
	for i := 1; b.Loop(); i++ {
		content := strings.Replace(files[1], `{n: "0"`, fmt.Sprintf(`{n: "%d"`, i), 1)
		if err := w.repo.Write(map[string]string{files[0]: content}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.repo.Git("commit", "-qam", fmt.Sprint("n is ", i)); err != nil {
			b.Fatal(err)
		}
		time.Sleep(1200*time.Millisecond + time.Duration(i*37%300)*time.Millisecond) // it finds the daemon in whatever it is doing
		mark, start := kube.Mark(), time.Now()
		if _, err := w.repo.Git("push", "-q", "origin", "main"); err != nil {
			b.Fatal(err)
		}
		there, err := os.Stat(filepath.Join(w.repo.Dir, "refs/heads/main"))
		if err != nil {
			b.Fatal(err)
		}
		if way == "webhook" && w.hook(w.stack, hookSecret) != http.StatusAccepted {
			b.Fatal("the webhook was not taken")
		}
		written := w.written(mark, "configmaps", "c-00000")
		whole, since = append(whole, written.Sub(start)), append(since, written.Sub(there.ModTime()))
		time.Sleep(300 * time.Millisecond)
		all, err := kube.Requests(kubetest.Recsysd, mark)
		if err != nil {
			b.Fatal(err)
		}
		requests = max(requests, len(all))
	}
	slices.Sort(whole)
	slices.Sort(since)
	b.Logf("from the reference to the write: %v", since)
	b.ReportMetric(whole[len(whole)/2].Seconds()*1000, "median-ms")
	b.ReportMetric(since[len(since)/2].Seconds()*1000, "since-ref-ms")
	b.ReportMetric(float64(requests), "most-requests")
	b.ReportMetric(resident(b, w.daemon), "rss-MiB")
	bare := floor(b, "pull", "-url", w.git.Repo("infra"), "-server", "https://"+w.kube.Endpoint, "-ca", w.write("ca.pem", string(kube.CA)),
		"-token", w.write("floor-token", kube.Token(kubetest.Admin)), "-namespace", w.stack)
	b.ReportMetric(bare["median-ms"], "floor-ms")
	b.ReportMetric(since[len(since)/2].Seconds()*1000/bare["median-ms"], "wall-x-floor")
	b.ReportMetric(0, "ns/op")
}

// tellBy has the daemon learn of pushes by a webhook, or by the files of a repository on this machine, and else once an hour.
func (w *world) tellBy(way string) {
	w.Helper()
	config, err := os.ReadFile(w.config)
	if err != nil {
		w.Fatal(err)
	}
	url, poll := fmt.Sprintf("{url: %q, pollInterval: 200ms}", w.git.Repo("infra")), ""
	switch way {
	case "webhook":
		poll = fmt.Sprintf("{url: %q, pollInterval: 1h, webhookSecretFile: %q}", w.git.Repo("infra"), w.write("hook-secret", hookSecret+"\n"))
		config = append(config, "webhook: {listen: 127.0.0.1:0}\n"...)
	case "file":
		poll = fmt.Sprintf("{url: %q, pollInterval: 1h}", w.repo.Dir)
	}
	if !bytes.Contains(config, []byte(url)) {
		w.Fatalf("%s is not in\n%s", url, config)
	}
	w.write("config.yaml", strings.Replace(string(config), url, poll, 1))
}

// written waits for the daemon's first write of an object since a mark, and says when it was answered.
func (w *world) written(mark int64, resource, name string) (at time.Time) {
	w.Helper()
	w.eventually("the daemon writes "+name, func() error {
		writes, err := kube.Writes(kubetest.Recsysd, mark)
		if err != nil {
			return err
		}
		for _, r := range writes {
			if r.Namespace == w.stack && r.Resource == resource && r.Name == name {
				at = r.Answered
				return nil
			}
		}
		return fmt.Errorf("%d writes of others", len(writes))
	})
	return at
}
