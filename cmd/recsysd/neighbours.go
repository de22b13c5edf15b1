package main

import (
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"

	"recsysd.dev/recsysd/internal/desired"
)

// neighbours are the stacks of a daemon as each was read last. No stack can see by itself that Google takes a workload of it and one of
// another for the same; only whoever has both can.
type neighbours struct {
	log *zap.Logger

	mu    sync.Mutex
	read  map[string]*desired.Stack // by the name in the configuration
	known []string                  // what was logged, as long as it stays so
}

func newNeighbours(log *zap.Logger) *neighbours {
	return &neighbours{log: log, read: map[string]*desired.Stack{}}
}

// moved takes down that a stack was read. What that makes true of two stacks is logged once.
func (n *neighbours) moved(stack string, s *desired.Stack) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.read[stack] = s
	n.compare()
}

// left forgets a stack.
func (n *neighbours) left(stack string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.read, stack)
	n.compare()
}

// notices are what there is to tell of a stack and any other.
func (n *neighbours) notices(stack string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var told []string
	for _, other := range slices.Sorted(maps.Keys(n.read)) {
		if n.read[stack] == nil || other == stack {
			continue
		}
		if same := n.sameness(stack, other); same != "" {
			told = append(told, same)
		}
	}
	return told
}

// compare logs what has become true of two stacks.
func (n *neighbours) compare() {
	var now []string
	names := slices.Sorted(maps.Keys(n.read))
	for i, a := range names {
		for _, b := range names[i+1:] {
			same := n.sameness(a, b)
			if same == "" {
				continue
			}
			now = append(now, same)
			if !slices.Contains(n.known, same) {
				n.log.Warn("notice", zap.Strings("stacks", []string{a, b}), zap.String("notice", same))
			}
		}
	}
	n.known = now
}

// sameness is in the same words whichever of the two is asked about.
func (n *neighbours) sameness(a, b string) string {
	return desired.Sameness(n.read[min(a, b)], n.read[max(a, b)])
}
