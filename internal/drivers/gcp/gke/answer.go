package gke

import (
	"fmt"
	"maps"
	"regexp"

	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/resource"
)

var (
	// busy is how GKE says that another operation is in the way.
	busy = regexp.MustCompile(`(?i)running incompatible operation|is currently \w+ing\b|please wait and try again|operation ?in ?progress|currently being (created|updated|deleted|upgraded)`)
	// stale is how it says that what a write was decided on is no longer so.
	stale = regexp.MustCompile(`(?i)fingerprint|etag|resource ?version|has changed|have changed`)
)

// refusal is an answer that may mean "no" or "not now".
type refusal struct{ op, name, text string }

// maxRefusals is how often the same refusal of unknown meaning is taken for "not now" before it is taken for "no".
const maxRefusals = 3

// Written tells what to do about the answer to a write, op on what name names; nil stays nil. GKE says "busy" and "no" with one code,
// and only the text tells them apart; a text that is not known may mean either, so it counts as "no" when it comes again and
// again; "busy" is to be waited for. It is to be called after every write: what was listed before is no longer so.
func (s *Service) Written(op, name string, err error) error {
	s.clusters.forget()
	s.operations.forget()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		maps.DeleteFunc(s.refusals, func(r refusal, _ int) bool { return r.op == op && r.name == name })
		return nil
	}
	if waits := gcp.MemberMissing(err); waits != nil { // nodes are to run as an account that was made a moment ago
		return waits
	}
	explained := gcp.Explain(op, err)
	switch {
	case gcp.Code(err) != codes.FailedPrecondition || stale.MatchString(explained.Error()):
		return explained
	case busy.MatchString(explained.Error()):
		return fmt.Errorf("%w: %w", resource.ErrUnavailable, explained)
	}
	r := refusal{op, name, explained.Error()}
	if s.refusals[r]++; s.refusals[r] < maxRefusals {
		return explained
	}
	return gcp.Reject(explained)
}
