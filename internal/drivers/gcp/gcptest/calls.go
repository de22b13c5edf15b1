package gcptest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Phase says when a hook is called.
type Phase int

const (
	Before Phase = iota // the call has arrived and done nothing yet
	After               // its effect is there and its answer is not sent yet
)

// Call is one request, as the server saw it.
type Call struct {
	Service string // container, artifactregistry, storage, resourcemanager, iam
	Method  string // the service's own name of it: CreateCluster, storage.buckets.insert
	Target  string // what it was about, by its short name; "" for a listing
	Write   bool   // asks for a change
	Code    codes.Code

	full string // the name of what it was about, as its service writes it in full, where that is known
}

func (c Call) String() string {
	return fmt.Sprintf("%s %s %s: %s", c.Service, c.Method, c.Target, c.Code)
}

// OnCall has hook called twice for every call, in the goroutine that serves it and without a lock held. The hook may block: the
// client then waits. nil removes it.
func (s *Server) OnCall(hook func(Call, Phase)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// serve is how every service answers every call: it records it, applies faults and hooks, and runs act with the lock held
// after what time has brought has been brought about.
func (s *Server) serve(ctx context.Context, c Call, act func() error) error {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		hook(c, Before)
	}
	f := s.faultFor(c)
	if f != nil && f.hang {
		return s.record(c, s.hang(ctx))
	}
	if f != nil && !f.lost {
		return s.record(c, f.err)
	}

	s.mu.Lock()
	s.settle(time.Now())
	err := act()
	s.wrote(ctx, c, err)
	s.mu.Unlock()
	if hook != nil && err == nil {
		hook(c, After)
	}
	err = s.record(c, err)
	if err == nil && f != nil {
		return f.err // the effect is there, the answer is lost
	}
	return err
}

// hang answers when the client or the server gives up.
func (s *Server) hang(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-s.stopped.Done():
		return status.Error(codes.Unavailable, "the server is stopping")
	}
}

func (s *Server) record(c Call, err error) error {
	c.Code = status.Code(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	return err
}

// Calls are all the calls since the last Forget, in the order of their answers.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Writes are those of Calls that asked for a change and were not refused.
func (s *Server) Writes() []Call {
	return slices.DeleteFunc(s.Calls(), func(c Call) bool { return !c.Write || c.Code != codes.OK })
}

// Received is how many calls asked for a change since the last Forget, those that were refused included.
func (s *Server) Received() int {
	n := 0
	for _, c := range s.Calls() {
		if c.Write {
			n++
		}
	}
	return n
}

// Count is how many calls of a method there were since the last Forget.
func (s *Server) Count(method string) int {
	n := 0
	for _, c := range s.Calls() {
		if c.Method == method {
			n++
		}
	}
	return n
}

// Forget empties the record of calls.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}
