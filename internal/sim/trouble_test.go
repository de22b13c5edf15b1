package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/sim"
)

var errAway = errors.New("503 try again")

// fault lets one call in four go wrong, in one of several ways, and a few kill the daemon.
func (h *history) fault(c sim.Call) sim.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	// Noted before the effect, which another write beside this one may already see.
	h.updated[c.Ref] = h.updated[c.Ref] || c.Op == sim.Update
	h.made[c.Ref] = h.made[c.Ref] || c.Op == sim.Create
	if h.dead {
		return sim.Fault{Err: errAway}
	}
	if h.calm {
		return sim.Fault{}
	}
	h.wrote = h.wrote || c.Op == sim.Create || c.Op == sim.Update || c.Op == sim.Delete
	f := sim.OneIn(4, h.seed, errAway)(c)
	if f.Err == nil {
		return f
	}
	switch c.Op {
	case sim.Observe:
		// Else nothing would ever be seen; and looks side by side have no order of their own.
		if c.N%3 > 0 || h.wrote && h.width() > 1 {
			return sim.Fault{}
		}
		h.look("")
	case sim.Get:
		h.look("")
	case sim.List:
		if !slices.ContainsFunc(h.want[h.applied], func(r resource.Resource) bool { return r.Ref.Kind == c.Ref.Kind }) {
			return sim.Fault{} // nothing would tell that there is such a kind at all
		}
		h.look(c.Ref.Kind)
	default:
		switch c.N % 5 {
		case 1:
			f.Err = fmt.Errorf("%w: bad weather", resource.ErrRejected)
		case 2:
			f.Err = fmt.Errorf("%w: bad weather", resource.ErrUnavailable)
		case 3:
			if h.width() == 1 {
				h.dead = true
				h.kill()
			}
		}
	}
	return f
}

// charged are the cloud's refusals that are new and that the planner could have foreseen. What stands on a thing without living
// in it, is wanted by nobody and could not be listed, it could not.
func (h *history) charged() []string {
	all := h.cloud.Refusals()
	fresh := all[h.refused:]
	h.refused = len(all)
	return slices.DeleteFunc(fresh, func(refusal string) bool {
		_, on, _ := strings.Cut(refusal, ": ")
		kind, _, _ := strings.Cut(on, "/")
		return strings.HasSuffix(refusal, "stands on it") && h.blind[kind]
	})
}

// look notes what the pass could not see before it began to write.
func (h *history) look(kind string) {
	if !h.wrote {
		h.blind[kind] = true
	}
}

// written checks every write against what the daemon was told to want.
func (h *history) written(w sim.Write) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, fmt.Sprintf("    cloud: %s %v owner=%q mark=%q err=%v", w.Op, w.Ref, w.Owner, w.Unprotected, w.Err))
	if w.Err != nil {
		return
	}
	wrong := func(format string, args ...any) {
		h.wrong = append(h.wrong, fmt.Sprintf("%s %v: ", w.Op, w.Ref)+fmt.Sprintf(format, args...))
	}
	want, wanted := h.wanted(w.Ref)
	switch {
	case h.daemon.Destroy && w.Op == sim.Create:
		wrong("the stack is taken down")
	case w.Op != sim.Delete && !wanted:
		wrong("nobody wants it")
	case wanted && want.Suspend != "":
		wrong("it is suspended")
	case w.Op == sim.Update && w.Owner != "mine" && !want.Adopt:
		wrong("it belongs to %q and is not to be adopted", w.Owner)
	case w.Op == sim.Delete && !h.daemon.Destroy && asBox(w.Spec).Keeps && w.Unprotected == digits(h.applied):
		wrong("it was unprotected by the very commit that removes it")
	case w.Op == sim.Delete && (h.blind[""] || h.blind[w.Ref.Kind] && !w.Replace):
		wrong("not everything could be seen")
	case w.Op == sim.Create && want.InheritsFirst && !h.blind[w.Ref.Kind] && slices.ContainsFunc(h.cloud.Things(), func(t sim.Thing) bool {
		_, wanted := h.wanted(t.Ref)
		return t.Ref.Kind == w.Ref.Kind && t.Owner == "mine" && !wanted
	}):
		wrong("it starts empty while another stands unused")
	case w.Op == sim.Update:
		h.turned(w, wrong)
	case w.Op == sim.Create:
		for _, n := range want.Needs {
			// What this pass has updated was usable when the pass was planned.
			if _, ok := h.wanted(n.Ref); ok && !h.updated[n.Ref] && !slices.ContainsFunc(h.cloud.Things(), func(t sim.Thing) bool { return t.Ref == n.Ref && t.State.Usable() }) {
				wrong("before %v, which it needs", n.Ref)
			}
		}
	}
}

func (h *history) wanted(ref resource.Ref) (resource.Resource, bool) {
	for _, r := range h.want[h.applied] {
		if r.Ref == ref {
			return r, true
		}
	}
	return resource.Resource{}, false
}

func (h *history) adopts(ref resource.Ref) bool { r, _ := h.wanted(ref); return r.Adopt }
