// Command build makes the control plane that the tests run, so that no test has to wait for it, and prints its path.
package main

import (
	"context"
	"fmt"
	"os"

	"recsysd.dev/recsysd/internal/drivers/kube/kubetest"
)

func main() {
	path, err := kubetest.Binary(context.Background(), os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(path)
}
