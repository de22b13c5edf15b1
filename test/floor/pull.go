package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// pull is what a push comes to at the least: the git program fetches the branch, alone and without history, and one object is applied. It
// does both so many times; what the branch is at does not matter to the one, so each is fetched into a repository of its own.
func pull(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("pull", flag.ContinueOnError)
	url := flags.String("url", "", "of the repository")
	server := flags.String("server", "", "the API server")
	ca := flags.String("ca", "", "file with its certificate authority")
	token := flags.String("token", "", "file with the bearer token")
	namespace := flags.String("namespace", "", "of the object")
	rounds := flags.Int("rounds", 20, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(&rest.Config{Host: *server, BearerTokenFile: *token, TLSClientConfig: rest.TLSClientConfig{CAFile: *ca}})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "floor-pull-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	objects := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(*namespace)
	var took []time.Duration
	for i := range *rounds + 2 {
		if i == 2 { // the connection is made
			begin(ctx)
		}
		into := fmt.Sprintf("%s/%d", dir, i)
		if err := git(ctx, "init", "-q", "--bare", into); err != nil {
			return err
		}
		start := time.Now()
		if err := git(ctx, "--git-dir", into, "fetch", "-q", "--depth=1", *url, "main"); err != nil {
			return err
		}
		form := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"floor"},"data":{"n":"%d"}}`, i)
		if _, err := objects.Patch(ctx, "floor", types.ApplyPatchType, []byte(form), metav1.PatchOptions{FieldManager: "floor"}); err != nil {
			return err
		}
		if i >= 2 {
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	note(ctx, "median-ms", took[len(took)/2].Seconds()*1000)
	return nil
}

func git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
	}
	return nil
}
