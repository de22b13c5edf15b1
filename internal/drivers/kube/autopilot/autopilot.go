// Package autopilot knows what GKE Autopilot makes of a pod's requests before it bills them: defaults, the least, the ratio of memory
// to CPU, and steps. It is pure arithmetic over requests. It neither reads Kubernetes objects nor knows a price.
//
// The rules are those of Google's page "Resource requests in Autopilot". On three points the page leaves room, and here stands which
// way they are read: steps of CPU are taken where pods cannot burst, and nowhere else; a container that says only one of CPU and
// memory gets the least of the other that its class allows; and what the ratio raises is raised to the byte and the thousandth.
// Admission changes a live object by the same rules, so that applying them to it again changes nothing.
package autopilot

import "fmt"

// Resources are requests. Zero is not said.
type Resources struct {
	CPU       int64 // in thousandths
	Memory    int64 // in bytes
	Ephemeral int64 // in bytes
}

// Container is what one container asks for.
type Container struct {
	Requests Resources
	Sidecar  bool // of an init container: it stays
}

// Pod is what of a pod counts.
type Pod struct {
	Class      Class
	Bursting   bool // pods of the cluster may use more than they ask for: those made at version 1.26 or later that run 1.30.2 or later
	Separate   bool // it asks for nodes that other pods are kept off
	Daemon     bool // it runs on every node
	Init       []Container
	Containers []Container
}

// Class is a compute class.
type Class uint8

const (
	GeneralPurpose Class = iota // where none is named
	Balanced
	ScaleOut
)

const (
	mebi = 1 << 20
	gibi = 1 << 30
)

// bounds are a class's. The ratios are tenths of a GiB of memory for one vCPU.
type bounds struct {
	least, most        Resources
	ratioFrom, ratioTo int64
	step               int64 // of CPU
}

// Bounds of ephemeral storage, for every class.
const leastEphemeral, mostEphemeral = 10 * mebi, 10 * gibi

// step is that of CPU where pods cannot burst.
const step = 250

func (p Pod) bounds() bounds {
	b := bounds{step: 1}
	switch p.Class {
	case Balanced:
		b.least, b.most = Resources{CPU: 250, Memory: 512 * mebi}, Resources{CPU: 222_000, Memory: 851 * gibi}
		b.ratioFrom, b.ratioTo = 10, 80
	case ScaleOut:
		b.least, b.most = Resources{CPU: 250, Memory: gibi}, Resources{CPU: 54_000, Memory: 216 * gibi}
		b.ratioFrom, b.ratioTo = 40, 40
	default:
		b.least, b.most = Resources{CPU: 250, Memory: 512 * mebi}, Resources{CPU: 30_000, Memory: 110 * gibi}
		if p.Bursting && !p.Separate {
			b.least = Resources{CPU: 50, Memory: 52 * mebi}
		}
		b.ratioFrom, b.ratioTo = 10, 65
	}
	if !p.Bursting {
		b.step = step
	}
	if p.Daemon {
		b.least, b.step = Resources{CPU: 10, Memory: 10 * mebi}, 1
		if p.Bursting {
			b.least = Resources{CPU: 1, Memory: 2 * mebi}
		}
		b.ratioFrom, b.ratioTo = 0, 0
	}
	return b
}

// Billed is what one such pod is billed for while it runs. The error says why Autopilot would not run it.
func (p Pod) Billed() (Resources, error) {
	b := p.bounds()
	r := p.sum(b)
	r.CPU = up(max(r.CPU, b.least.CPU), b.step)
	r.Memory = max(r.Memory, b.least.Memory)
	r.Ephemeral = max(r.Ephemeral, leastEphemeral)
	if r.CPU <= b.most.CPU && r.Memory <= b.most.Memory && b.ratioTo > 0 {
		r.CPU = max(r.CPU, up(cpuFor(r.Memory, b.ratioTo), b.step))
		r.Memory = max(r.Memory, memoryFor(r.CPU, b.ratioFrom))
	}
	switch {
	case r.CPU > b.most.CPU:
		return Resources{}, fmt.Errorf("more than the %d vCPU that Autopilot gives a pod of this class", b.most.CPU/1000)
	case r.Memory > b.most.Memory:
		return Resources{}, fmt.Errorf("more than the %d GiB of memory that Autopilot gives a pod of this class", b.most.Memory/gibi)
	case r.Ephemeral > mostEphemeral:
		return Resources{}, fmt.Errorf("more than the %d GiB of ephemeral storage that Autopilot gives a pod of this class", mostEphemeral/gibi)
	}
	return r, nil
}

// sum is what the scheduler counts of the pod: its containers and sidecars together, or the init container that needs more beside the
// sidecars that run by then. An init container that asks for nothing is given what the pod has.
func (p Pod) sum(b bounds) Resources {
	var sidecars, peak Resources
	for _, c := range p.Init {
		switch {
		case c.Sidecar:
			sidecars = plus(sidecars, p.completed(c.Requests, b))
		default:
			peak = largest(peak, plus(sidecars, c.Requests))
		}
	}
	all := sidecars
	for _, c := range p.Containers {
		all = plus(all, p.completed(c.Requests, b))
	}
	return largest(all, peak)
}

// completed gives a container what it does not ask for.
func (p Pod) completed(r Resources, b bounds) Resources {
	if p.Daemon {
		return or(r, Resources{CPU: 50, Memory: 100 * mebi, Ephemeral: 100 * mebi})
	}
	r = or(r, Resources{Ephemeral: gibi})
	switch {
	case r.CPU == 0 && r.Memory == 0:
		r.CPU, r.Memory = 500, 2*gibi
	case r.CPU == 0:
		r.CPU = cpuFor(min(r.Memory, beyond), b.ratioTo)
	case r.Memory == 0:
		r.Memory = memoryFor(min(r.CPU, beyondCPU), b.ratioFrom)
	}
	return r
}

// cpuFor is the least CPU that a ratio allows for so much memory, and memoryFor the other way round.
func cpuFor(memory, ratio int64) int64 { return over(memory*10*1000, ratio*gibi) }
func memoryFor(cpu, ratio int64) int64 { return over(cpu*ratio*gibi, 10*1000) }

// over is n / d, rounded up.
func over(n, d int64) int64 { return (n + d - 1) / d }

func up(n, step int64) int64 { return (n + step - 1) / step * step }

// More of anything than there is, and small enough to reckon with: requests are cut to it, and refused then.
const (
	beyond    = 1 << 46
	beyondCPU = 1 << 24
)

func plus(a, b Resources) Resources {
	add := func(x, y int64) int64 { return min(min(x, beyond)+min(y, beyond), beyond) }
	return Resources{add(a.CPU, b.CPU), add(a.Memory, b.Memory), add(a.Ephemeral, b.Ephemeral)}
}

func largest(a, b Resources) Resources {
	return Resources{max(a.CPU, b.CPU), max(a.Memory, b.Memory), max(a.Ephemeral, b.Ephemeral)}
}

// or is r with what it does not say taken from otherwise.
func or(r, otherwise Resources) Resources {
	if r.CPU == 0 {
		r.CPU = otherwise.CPU
	}
	if r.Memory == 0 {
		r.Memory = otherwise.Memory
	}
	if r.Ephemeral == 0 {
		r.Ephemeral = otherwise.Ephemeral
	}
	return r
}
