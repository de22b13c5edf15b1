package desired_test

import (
	"os"
	"testing"

	"recsysd.dev/recsysd/internal/desired"
)

func TestExampleLoads(t *testing.T) {
	s, err := desired.Load(os.DirFS("../../examples"), "stack.yaml", desired.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Resources {
		t.Log(r.Ref, r.Entry, r.Pos, r.Hash, r.Protect, r.Needs)
	}
	t.Log(s.Notices)
}
