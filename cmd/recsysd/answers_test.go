package main

import (
	"errors"
	"net"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/sim"
)

func TestSuspendRefusesANameThatTheStackDoesNotHave(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.until("recsys", "the stack converges first", converged)
	for _, ref := range []string{"deployment/recsys/api", "Deployment/api", "Deployment/recsys/nope"} {
		code, _, errs := invoke(t, "suspend", "recsys", ref, "--reason", "an emergency", "--socket", h.client.Socket)
		if code != 2 || !strings.Contains(errs, ref+" in stack recsys: not found; recsysd status shows the names") {
			t.Errorf("who suspends relies on it, so %s is refused: exit %d, %q", ref, code, errs)
		}
	}
	code, out, errs := invoke(t, "suspend", "recsys", "Deployment/recsys/api", "--reason", "an emergency", "--socket", h.client.Socket)
	if code != 0 || !strings.Contains(out, "until recsysd resume recsys Deployment/recsys/api") {
		t.Errorf("what was done is said, and how it is undone: exit %d, %q %q", code, out, errs)
	}
	if code, out, _ := invoke(t, "status", "recsys", "--socket", h.client.Socket); code != 0 || !strings.Contains(out, "is suspended: an emergency") {
		t.Errorf("status takes a stack's name as history and drift do: exit %d, %q", code, out)
	}
}

func TestACloudThatDoesNotAnswerIsAnError(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	h.write("token", "x")
	text := strings.ReplaceAll(read(t, h.config)+"gcp: {accessTokenFile: token, insecure: true, endpoints: {container: \"A\", artifactregistry: \"A\", storage: \"http://A\", resourcemanager: \"http://A\", iam: \"http://A\"}}\n", "\"A\"", "\""+closed+"\"")
	h.write("config.yaml", strings.ReplaceAll(text, "http://A", "http://"+closed))
	for _, args := range [][]string{{"output"}, {"output", "buckets.data.url"}, {"destroy", "--yes", "recsys"}} {
		code, _, errs := invoke(t, append(args, "--config", h.config)...)
		if code != 2 || !strings.Contains(errs, "could not be observed: ") {
			t.Errorf("recsysd %s without an answer of the cloud: exit %d, %q; want exit 2 and what could not be observed", strings.Join(args, " "), code, errs)
		}
	}
}

// Scripts go by the exit status: a pass in which a step failed is not well, although the pass as a whole could be made.
func TestSyncTellsOfAStepThatFailed(t *testing.T) {
	h := newHouse(t)
	h.cloud.SetFault(func(c sim.Call) sim.Fault {
		if c.Op == sim.Create && c.Ref.Kind == "bucket" {
			return sim.Fault{Err: errors.New("403: storage.buckets.create is missing")}
		}
		return sim.Fault{}
	})
	h.start()
	code, out, errs := invoke(t, "sync", "recsys", "--socket", h.client.Socket)
	if code != 2 || !strings.Contains(errs, "did not succeed") || !strings.Contains(out, "recsys  failing") {
		t.Errorf("exit %d %s\n%s", code, errs, out)
	}
}
