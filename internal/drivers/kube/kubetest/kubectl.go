package kubetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Kubectl runs kubectl as user, whose edits carry the field managers that a person's do, and returns what it prints.
func (c *Cluster) Kubectl(ctx context.Context, user string, args ...string) (string, error) {
	binary, err := Binary(ctx, io.Discard)
	if err != nil {
		return "", err
	}
	kubeconfig, err := c.Kubeconfig(user)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, binary, append([]string{"kubectl", "--kubeconfig", kubeconfig}, args...)...)
	cmd.Args[0] = "kubeenv"
	cmd.Env = append(cmd.Environ(), "HOME="+c.dir) // its discovery cache
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return out.String(), nil
}
