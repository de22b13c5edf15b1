// Package control is how the command line talks to the running daemon: HTTP over a Unix socket, whose file mode says who may. It
// carries questions and orders and knows neither how they are answered nor how they are shown.
package control

import (
	"context"
	"errors"
	"net/http"
	"time"

	"recsysd.dev/recsysd/internal/view"
)

// Daemon is what can be asked of a running daemon. The daemon implements it, and so does Client. A stack's name may be "" where
// there is only one. Errors are one line for people.
type Daemon interface {
	Status(ctx context.Context) (view.Status, error)
	History(ctx context.Context, stack string) (view.History, error)
	Drift(ctx context.Context, stack string) (view.Drift, error)
	// Sync asks for a pass over everything, with Git looked at first, and returns what it came to.
	Sync(ctx context.Context, stack string, o Sync) (view.StackStatus, error)
	// Suspend leaves a stack, or with ref (KIND/NAME) one resource of it, alone until Resume. It is kept over restarts.
	Suspend(ctx context.Context, stack, ref, reason string) error
	Resume(ctx context.Context, stack, ref string) error
	// Rest wakes a workload and what it uses, or puts it and what uses it to sleep, whatever their schedules say, and returns what was said
	// of each resource. The pass that follows it is waited for, not the pods. It is kept over restarts.
	Rest(ctx context.Context, stack string, o Rest) ([]Rested, error)
}

// Rest is an order to wake or to sleep.
type Rest struct {
	Workload string        `json:"workload"` // its key in the stack file, or KIND/NAME
	Asleep   bool          `json:"asleep"`
	For      time.Duration `json:"for"` // 0: until the schedule says otherwise
}

// Rested is what an order came to for one resource.
type Rested struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Rest string `json:"rest"` // such as: awake until …, by hand
}

// Sync is what one pass may do that others may not.
type Sync struct {
	AcceptRewrite bool `json:"acceptRewrite"` // take the branch as it is, although its history was rewritten
	MaxDeletes    int  `json:"maxDeletes"`    // 0: as configured
}

// Mistakes of the caller, as opposed to failures of the daemon. They travel over the socket as status codes.
var (
	ErrNotFound = errors.New("not found")
	ErrInvalid  = errors.New("invalid request")
)

// order is the body of suspend and resume.
type order struct {
	Ref    string `json:"ref"`
	Reason string `json:"reason"`
}

// failure is the body of every answer that is not 200.
type failure struct {
	Error string `json:"error"`
}

// maxBody bounds a request: all of them are small.
const maxBody = 64 << 10

var codes = []struct {
	err  error
	code int
}{
	{ErrNotFound, http.StatusNotFound}, {ErrInvalid, http.StatusBadRequest},
}
