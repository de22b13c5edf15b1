package autopilot

import (
	"strings"
	"testing"
)

func asks(cpu, memory, ephemeral int64) Resources {
	return Resources{CPU: cpu, Memory: memory * mebi, Ephemeral: ephemeral * mebi}
}

func containers(all ...Resources) []Container {
	var c []Container
	for _, r := range all {
		c = append(c, Container{Requests: r})
	}
	return c
}

// TestBilled is every rule, one by one, with its working. Amounts are thousandths of a vCPU and MiB. Where a case says "page", its source
// is Google's "Resource requests in Autopilot"; "Kubernetes" is "Sidecar containers", section on sharing resources.
func TestBilled(t *testing.T) {
	none := Resources{}
	for _, c := range []struct {
		why  string
		pod  Pod
		want Resources
	}{
		// What is asked for and within every bound stays as it is.
		{"500m and 1 GiB are 1:2, within 1:1 to 1:6.5; ephemeral storage is 1 GiB where none is said (page, defaults)",
			Pod{Bursting: true, Containers: containers(asks(500, 1024, 0))}, asks(500, 1024, 1024)},
		{"with bursting no step: 333m stay 333m", Pod{Bursting: true, Containers: containers(asks(333, 1024, 0))}, asks(333, 1024, 1024)},
		{"1:1 is allowed: 1000m and 1 GiB", Pod{Bursting: true, Containers: containers(asks(1000, 1024, 0))}, asks(1000, 1024, 1024)},
		{"1:6.5 is allowed: 1000m and 6656 MiB = 6.5 GiB", Pod{Bursting: true, Containers: containers(asks(1000, 6656, 0))}, asks(1000, 6656, 1024)},
		{"the largest: 30 vCPU and 110 GiB", Pod{Bursting: true, Containers: containers(asks(30000, 110*1024, 10*1024))}, asks(30000, 110*1024, 10*1024)},

		// Defaults.
		{"nothing asked for: 500m, 2 GiB, 1 GiB for the container (page, defaults)", Pod{Bursting: true, Containers: containers(none)}, asks(500, 2048, 1024)},
		{"for each container: two of them are twice that", Pod{Bursting: true, Containers: containers(none, none)}, asks(1000, 4096, 2048)},
		{"one says, one does not: 250+500m, 512+2048 MiB", Pod{Bursting: true, Containers: containers(asks(250, 512, 0), none)}, asks(750, 2560, 2048)},
		{"CPU alone: memory is what the ratio of 1:1 asks for, 2 GiB for 2 vCPU (page: set to comply with the ratio)",
			Pod{Bursting: true, Containers: containers(asks(2000, 0, 0))}, asks(2000, 2048, 1024)},
		{"memory alone: 13 GiB / 6.5 = 2 vCPU", Pod{Bursting: true, Containers: containers(asks(0, 13*1024, 0))}, asks(2000, 13*1024, 1024)},
		{"memory alone, of Scale-Out, whose ratio is 1:4: 8 GiB / 4 = 2 vCPU", Pod{Bursting: true, Class: ScaleOut, Containers: containers(asks(0, 8192, 0))}, asks(2000, 8192, 1024)},
		{"what ephemeral storage is asked for counts: 512+1024 MiB", Pod{Bursting: true, Containers: containers(asks(500, 1024, 512), asks(500, 1024, 0))}, asks(1000, 2048, 1536)},

		// The least.
		{"with bursting 50m and 52 MiB are the least of a pod (page, minimum)", Pod{Bursting: true, Containers: containers(asks(10, 16, 1))}, asks(50, 52, 10)},
		{"the least is the pod's: two containers of 30m and 30 MiB have 60m and 61.44 MiB, the 1:1 of 60m",
			Pod{Bursting: true, Containers: containers(asks(30, 30, 5), asks(30, 30, 5))}, Resources{CPU: 60, Memory: 64424510, Ephemeral: 10 * mebi}},
		{"without bursting 250m and 512 MiB are the least", Pod{Containers: containers(asks(10, 16, 1))}, asks(250, 512, 10)},
		{"a pod that asks for nodes of its own has no benefit of bursting", Pod{Bursting: true, Separate: true, Containers: containers(asks(50, 52, 10))}, asks(250, 512, 10)},
		{"Balanced: 250m and 512 MiB, with bursting too", Pod{Bursting: true, Class: Balanced, Containers: containers(asks(10, 16, 1))}, asks(250, 512, 10)},
		{"Scale-Out: 250m and 1 GiB", Pod{Bursting: true, Class: ScaleOut, Containers: containers(asks(10, 16, 1))}, asks(250, 1024, 10)},

		// Steps, where pods cannot burst.
		{"251m are 500m; their 512 MiB fit", Pod{Containers: containers(asks(251, 512, 0))}, asks(500, 512, 1024)},
		{"500m are 500m", Pod{Containers: containers(asks(500, 1024, 0))}, asks(500, 1024, 1024)},
		{"the step is the pod's: 300m+300m are 750m, not 1000m", Pod{Containers: containers(asks(300, 512, 0), asks(300, 512, 0))}, asks(750, 1024, 2048)},
		{"the ratio, then the step: 2 GiB / 6.5 = 308m, 500m", Pod{Containers: containers(asks(250, 2048, 0))}, asks(500, 2048, 1024)},
		{"a step may raise memory: 1001m are 1250m, whose 1:1 is 1280 MiB", Pod{Containers: containers(asks(1001, 1024, 0))}, asks(1250, 1280, 1024)},

		// The ratio.
		{"too little memory is raised: 4 vCPU take 4 GiB", Pod{Bursting: true, Containers: containers(asks(4000, 1024, 0))}, asks(4000, 4096, 1024)},
		{"too much memory raises CPU: 8 GiB / 6.5 = 1.2308, 1231m", Pod{Bursting: true, Containers: containers(asks(500, 8192, 0))}, asks(1231, 8192, 1024)},
		{"Balanced goes to 1:8: 8 GiB on 1 vCPU stay", Pod{Bursting: true, Class: Balanced, Containers: containers(asks(1000, 8192, 0))}, asks(1000, 8192, 1024)},
		{"and no further: 12 GiB / 8 = 1500m", Pod{Bursting: true, Class: Balanced, Containers: containers(asks(1000, 12*1024, 0))}, asks(1500, 12*1024, 1024)},
		{"Scale-Out is exactly 1:4: 1 vCPU with 2 GiB has 4", Pod{Bursting: true, Class: ScaleOut, Containers: containers(asks(1000, 2048, 0))}, asks(1000, 4096, 1024)},
		{"and 1 vCPU with 8 GiB has 2 vCPU", Pod{Bursting: true, Class: ScaleOut, Containers: containers(asks(1000, 8192, 0))}, asks(2000, 8192, 1024)},
		{"Scale-Out without bursting: 5 GiB / 4 = 1250m, a step already", Pod{Class: ScaleOut, Containers: containers(asks(1000, 5*1024, 0))}, asks(1250, 5*1024, 1024)},
		{"the ratio is the pod's, not each container's: 1000m+64 MiB beside 100m+1536 MiB are 1:1.4",
			Pod{Bursting: true, Containers: containers(asks(1000, 64, 0), asks(100, 1536, 0))}, asks(1100, 1600, 2048)},

		// Init containers and sidecars.
		{"an init container that needs less adds nothing", Pod{Bursting: true, Init: containers(asks(250, 256, 0)), Containers: containers(asks(500, 1024, 0))}, asks(500, 1024, 1024)},
		{"one that needs more counts, each resource by itself (Kubernetes)",
			Pod{Bursting: true, Init: containers(asks(2000, 512, 4096)), Containers: containers(asks(500, 3072, 0))}, asks(2000, 3072, 4096)},
		{"they run one after the other: the largest counts, not their sum", Pod{Bursting: true, Init: containers(asks(900, 1024, 0), asks(800, 1024, 0)), Containers: containers(asks(500, 1024, 0))}, asks(900, 1024, 1024)},
		{"one that asks for nothing has what the pod has (page, init containers)", Pod{Bursting: true, Init: containers(none), Containers: containers(asks(500, 1024, 0))}, asks(500, 1024, 1024)},
		{"a sidecar stays: 500+100m, 1024+128 MiB", Pod{Bursting: true, Init: []Container{{asks(100, 128, 0), true}}, Containers: containers(asks(500, 1024, 0))}, asks(600, 1152, 2048)},
		{"a sidecar that asks for nothing gets the default", Pod{Bursting: true, Init: []Container{{none, true}}, Containers: containers(asks(500, 1024, 0))}, asks(1000, 3072, 2048)},
		{"beside what init containers after it need: 100+1000m against 100+500m (Kubernetes)",
			Pod{Bursting: true, Init: []Container{{asks(100, 128, 10), true}, {asks(1000, 1024, 10), false}}, Containers: containers(asks(500, 1024, 10))}, asks(1100, 1152, 20)},
		{"not those before it: 1000m against 100+500m", Pod{Bursting: true, Init: []Container{{asks(1000, 1024, 10), false}, {asks(100, 128, 10), true}}, Containers: containers(asks(500, 1024, 10))}, asks(1000, 1152, 20)},

		// DaemonSets.
		{"of a DaemonSet: 50m, 100 MiB, 100 MiB (page, DaemonSets)", Pod{Bursting: true, Daemon: true, Containers: containers(none)}, asks(50, 100, 100)},
		{"its least is 1m and 2 MiB", Pod{Bursting: true, Daemon: true, Containers: containers(asks(1, 1, 1))}, asks(1, 2, 10)},
		{"without bursting 10m and 10 MiB, and no steps", Pod{Daemon: true, Containers: containers(asks(1, 1, 1), asks(20, 1, 1))}, asks(21, 10, 10)},
		{"and no ratio", Pod{Bursting: true, Daemon: true, Containers: containers(asks(10, 1000, 100))}, asks(10, 1000, 100)},
	} {
		got, err := c.pod.Billed()
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.why, got, err, c.want)
			continue
		}
		// Admission has already changed a live pod.
		again := c.pod
		again.Init, again.Containers = nil, containers(got)
		if twice, err := again.Billed(); err != nil || twice != got {
			t.Errorf("%s: what has been adjusted is adjusted again: %+v, %v; want %+v", c.why, twice, err, got)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		why, err string
		pod      Pod
	}{
		{"too much CPU", "30 vCPU", Pod{Containers: containers(asks(30001, 31*1024, 0))}},
		{"too much memory", "110 GiB of memory", Pod{Containers: containers(asks(20000, 111*1024, 0))}},
		{"Scale-Out ends at 54 vCPU", "54 vCPU", Pod{Class: ScaleOut, Containers: containers(asks(54001, 0, 0))}},
		{"too much ephemeral storage, the sum of all containers", "10 GiB of ephemeral", Pod{Containers: containers(asks(500, 1024, 9*1024), asks(500, 1024, 2*1024))}},
		{"amounts that cannot be added", "vCPU", Pod{Containers: containers(Resources{CPU: 1 << 62}, Resources{CPU: 1 << 62})}},
		{"and of memory", "memory", Pod{Containers: containers(Resources{CPU: 1, Memory: 1<<63 - 1}, Resources{CPU: 1, Memory: 1<<63 - 1})}},
	} {
		if r, err := c.pod.Billed(); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %+v, %v; want an error with %q", c.why, r, err, c.err)
		}
	}
}
