package view

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/plan"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// Status is where every stack of a daemon stands.
type Status struct {
	Stacks []StackStatus `json:"stacks"`
	// ConfigError is why the configuration as it is in its file now is not the one in force; "" if it is.
	ConfigError string `json:"configError"`
}

// StackStatus is what the last pass of one stack came to.
type StackStatus struct {
	Name          string            `json:"name"`
	Attempted     string            `json:"attempted"`
	Applied       string            `json:"applied"`
	LastPass      *time.Time        `json:"lastPass"`      // null before the first
	LastConverged *time.Time        `json:"lastConverged"` // null if it never was
	Converged     bool              `json:"converged"`
	Outcome       string            `json:"outcome"` // of the last pass, in the words of history; "" before the first
	Left          bool              `json:"left"`    // it does not converge, because what differs is only looked at, or suspended
	Error         string            `json:"error"`
	Suspended     string            `json:"suspended"` // the reason, or ""
	Budget        *Budget           `json:"budget"`    // null: the stack has none
	Outputs       map[string]string `json:"outputs"`   // by ENTRY.KEY, such as clusters.primary.endpoint
	Resources     []ResourceStatus  `json:"resources"`
	Blind         map[string]string `json:"blind"` // by kind, why it could not be observed
	Notices       []string          `json:"notices"`
	Cost          *StackCost        `json:"cost"` // null before the first pass
}

// ResourceStatus is one resource, wanted or ours.
type ResourceStatus struct {
	Kind   string         `json:"kind"`
	Name   string         `json:"name"`
	State  resource.State `json:"state"`
	Usable bool           `json:"usable"`
	Drift  int            `json:"drift"`  // how many fields
	Fields []Change       `json:"fields"` // those, each with the hand that set it where that is known
	Held   string         `json:"held"`   // the reason, or ""
	Detail string         `json:"detail"` // what it is doing, or what is wrong with it
	Asleep bool           `json:"asleep"`
	Done   reconcile.Done `json:"done,omitempty"`      // what the last pass did about that drift
	Excess *Excess        `json:"driftCost,omitempty"` // what that drift costs
	Since  *time.Time     `json:"since"`               // when a pass first saw that drift; null if there is none
	Until  *time.Time     `json:"until"`               // when it next turns, by schedule or by hand; null if it does not
	// Repaired is the drift that was put back last; null if none was within a day, or since the daemon was started.
	Repaired *Repair `json:"repaired"`
}

// Repair is drift that was put back.
type Repair struct {
	At    time.Time `json:"at"`
	Since time.Time `json:"since"` // when a pass first saw it
	Drift []Change  `json:"drift"`
	Excess
}

// StackOf is HeadOf with everything.
func StackOf(name string, p *reconcile.Pass, lastConverged time.Time) StackStatus {
	v := HeadOf(name, p, lastConverged)
	if p == nil {
		return v
	}
	v.Outputs = Outputs(*p)
	maps.Copy(v.Blind, p.Plan.Blind)
	v.Notices = append(v.Notices, p.Plan.Notices...)
	seen, drift, repairs := p.Observed(), p.Drift(), p.Repairs()
	for i, s := range p.Plan.Steps {
		o, found := seen[s.Ref] // the zero observation is of what is absent
		if !found && p.Plan.Blind[s.Ref.Kind] != "" {
			o.State = resource.Unknown
		}
		r := ResourceStatus{
			Kind: s.Ref.Kind, Name: s.Ref.Name, State: o.State, Usable: o.State.Usable(), Detail: o.Detail,
			Drift: len(drift[s.Ref].Fields), Fields: changes(drift[s.Ref].Fields),
		}
		if d, ok := drift[s.Ref]; ok {
			r.Since, r.Done = &d.Since, d.Done
		}
		if d, ok := repairs[s.Ref]; ok {
			r.Repaired = &Repair{At: d.At, Since: d.Since, Drift: changes(d.Fields)}
		}
		if s.Verb == plan.Hold {
			r.Held = s.Why
		}
		r.rest(o)
		if i < len(p.Results) && p.Results[i].Err != nil {
			r.Detail = strings.TrimPrefix(r.Detail+"; "+p.Results[i].Err.Error(), "; ")
		}
		v.Resources = append(v.Resources, r)
	}
	return v
}

// rest says whether the resource sleeps, and until when it does or does not.
func (r *ResourceStatus) rest(o resource.Observation) {
	r.Asleep = o.Asleep
	if o.Rest == nil || o.Turn() != "" {
		return // that it is to turn is told by its step
	}
	if *o.Rest != (resource.Rest{}) {
		r.Detail = strings.TrimSuffix(o.Rest.String()+"; "+r.Detail, "; ")
	}
	if !o.Rest.Until.IsZero() {
		r.Until = &o.Rest.Until
	}
}

// Outputs is what a stack is used by: an endpoint, a URL, a path, an address, each under the entry of the stack file that it belongs to.
func Outputs(p reconcile.Pass) map[string]string {
	entries := map[resource.Ref]string{}
	for _, r := range p.Want {
		entries[r.Ref] = r.Entry
	}
	out := map[string]string{}
	for _, o := range p.Seen {
		entry, wanted := entries[o.Ref]
		if !wanted {
			continue
		}
		for key, value := range o.Outputs {
			out[entry+"."+key] = value
		}
	}
	return out
}

// Text writes a status for people. now is only used to say how long ago something was.
func (v Status) Text(w io.Writer, p Paint, now time.Time) error {
	if v.ConfigError != "" {
		for _, line := range strings.Split("the configuration was not reloaded: "+v.ConfigError, "\n") {
			fmt.Fprintln(w, p.as(bad, plain(line)))
		}
		fmt.Fprintln(w)
	}
	for i, s := range v.Stacks {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := s.Text(w, p, now); err != nil {
			return err
		}
	}
	return nil
}

// Text writes one stack's status for people.
func (v StackStatus) Text(w io.Writer, p Paint, now time.Time) error {
	var b strings.Builder
	word, colour := v.word()
	fmt.Fprintf(&b, "%s  %s", p.as(strong, v.Name), p.as(colour, word))
	if v.LastPass != nil {
		fmt.Fprintf(&b, "  at %s, looked %s ago", commit(v.Attempted), ago(now.Sub(*v.LastPass)))
	}
	if v.Applied != v.Attempted && v.Applied != "" {
		fmt.Fprintf(&b, "; %s is the last that converged", Short(v.Applied))
	}
	b.WriteByte('\n')
	for _, line := range strings.Split(v.Error, "\n") {
		if line != "" {
			fmt.Fprintf(&b, "  %s\n", p.as(bad, plain(line)))
		}
	}
	if v.Budget != nil && v.Budget.Held {
		fmt.Fprintf(&b, "  %s\n", p.as(change, v.Budget.text()))
	}
	for _, blind := range byReason(v.Blind) {
		fmt.Fprintf(&b, "  %s\n", p.as(bad, "blind to "+blind.kinds+": "+plain(blind.reason)))
	}
	if v.Cost != nil {
		fmt.Fprintf(&b, "  %s\n", p.as(faint, v.Cost.line()))
	}
	if err := v.resources(&b, p, now); err != nil {
		return err
	}
	for _, n := range v.Notices {
		fmt.Fprintf(&b, "  %s\n", p.as(faint, "notice: "+plain(n)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (v StackStatus) resources(w io.Writer, p Paint, now time.Time) error {
	if len(v.Resources) == 0 {
		return nil
	}
	var t table
	t.row(faint, "RESOURCE", "STATE", "DRIFT", "")
	for _, r := range v.Resources {
		drift, colour := "-", ""
		if r.Drift > 0 {
			drift, colour = fmt.Sprint(r.Drift), change
		}
		if !r.Usable {
			colour = change
		}
		if r.State == resource.Broken || r.State == resource.Unknown {
			colour = bad
		}
		t.row(colour, r.Kind+"/"+plain(r.Name), r.State.String(), drift, v.note(r, now))
	}
	return t.write(w, p, "  ")
}

// note is what is to be said of a resource, each reason once: what makes its whole kind blind stands above all rows.
func (v StackStatus) note(r ResourceStatus, now time.Time) string {
	var notes []string
	if r.Held != "" {
		notes = append(notes, "held: "+plain(v.Budget.brief(brief(r.Held, v.Blind[r.Kind]))))
	}
	if r.Detail != "" && r.Detail != v.Blind[r.Kind] && !strings.Contains(r.Held, r.Detail) {
		notes = append(notes, plain(r.Detail))
	}
	if len(r.Fields) > 0 && r.Since != nil {
		notes = append(notes, hands("is", r.Fields, *r.Since))
	}
	if r.Excess != nil && r.Excess.text() != "" {
		notes = append(notes, r.Excess.text())
	}
	if d := r.Repaired; d != nil {
		said := "put back " + ago(now.Sub(d.At)) + " ago: " + hands("was", d.Drift, d.Since)
		if money := d.Excess.text(); money != "" {
			said += ", " + money
		}
		notes = append(notes, said)
	}
	return strings.Join(notes, "; ")
}

// hands names some of the fields in drift with what is or was there, who set that, and when. Where the API server keeps no time, as of
// a kubectl scale, it is when the drift was seen.
func hands(verb string, cs []Change, since time.Time) string {
	const few, short = 3, 40
	var all []string
	for i, c := range cs {
		if i == few {
			return strings.Join(all, "; ") + fmt.Sprintf(" and %d more", len(cs)-few)
		}
		said := plain(c.Field) + " " + verb + " " + cmp.Or(shown(c.Have, short), "absent")
		if c.Manager != "" {
			said += ", " + byOrSeen(c, since)
		}
		all = append(all, said)
	}
	return strings.Join(all, "; ")
}
