package desired

import (
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/desired/schedule"
	"recsysd.dev/recsysd/internal/resource"
)

// schedules are when the stack's pods are awake, as of the moment that it is read for.
type schedules struct {
	stack     *schedule.Settings // the default of all
	manifests schedule.Schedule
	workloads map[string]schedule.Schedule
	zones     map[string]string // of the workloads; "" where there is no schedule
}

// readSchedules judges every schedule of the file, and tells of workloads that sleep under one that is awake.
func (b *builder) readSchedules() {
	b.schedules = schedules{stack: b.file.Schedule, workloads: map[string]schedule.Schedule{}, zones: map[string]string{}}
	if b.schedules.stack != nil {
		b.schedules.manifests = b.schedule(*b.schedules.stack, "schedule")
	}
	for _, name := range sortedKeys(b.file.Workloads) {
		own := b.file.Workloads[name].Schedule
		b.schedules.zones[name] = zoneOf(own, b.file.Schedule)
		switch path := joined("workloads", name) + ".schedule"; {
		case own == nil:
			b.schedules.workloads[name] = b.schedules.manifests
		case b.schedules.stack != nil:
			b.schedules.workloads[name] = b.schedule(own.Over(*b.schedules.stack), path)
		default:
			b.schedules.workloads[name] = b.schedule(*own, path)
		}
	}
	if !b.p.any() {
		b.checkSleepUnderUsers()
	}
}

// zoneOf is the time zone of a workload's schedule, or of the stack's; "" where neither names one.
func zoneOf(all ...*schedule.Settings) string {
	for _, s := range all {
		if s != nil && s.Timezone != "" {
			return s.Timezone
		}
	}
	return ""
}

// annotationAwake is a schedule's awake on an object of a manifest: a window, or always.
const annotationAwake = "recsysd.dev/awake"

// manifestSchedule is when an object of a manifest is awake: by its annotation, else as the stack is.
func (b *builder) manifestSchedule(m manifest, o object) schedule.Schedule {
	said := m.tree.get("metadata").get("annotations").field(annotationAwake)
	if said == nil {
		return b.schedules.manifests
	}
	path := joined(m.path, "metadata.annotations."+annotationAwake)
	if o.Rest() == nil {
		b.p.add(said.at, path, "a %s never sleeps", m.kind())
		return schedule.Schedule{}
	}
	own := schedule.Settings{Timezone: "UTC", Awake: schedule.Windows{said.value.text}}
	if _, err := own.Schedule(); err != nil {
		b.p.add(said.value.at, path, "%s", strings.TrimPrefix(err.Error(), "awake: "))
		return schedule.Schedule{}
	}
	own.Timezone = ""
	if b.schedules.stack != nil {
		own = own.Over(*b.schedules.stack)
	} else if said.value.text != schedule.Always {
		b.p.add(said.at, path, "the stack has no schedule, and with it no time zone; say schedule: {timezone: …, awake: always} in the stack file")
	}
	made, _ := own.Schedule() // what the stack's settings lack was told of them
	return made
}

// schedule reads settings that stand at path. Where they are wrong, the report is the stack's end, and the schedule does not matter.
func (b *builder) schedule(s schedule.Settings, path string) schedule.Schedule {
	made, err := s.Schedule()
	b.p.addValidation(err, path, b.places)
	return made
}

// rest is what a schedule says now. The stack is read again when that ends.
func (b *builder) rest(s schedule.Schedule) resource.Rest {
	awake, until := s.At(b.options.Now)
	if !until.IsZero() {
		b.holdsUntil(until)
	}
	return resource.Rest{Asleep: !awake, Until: until, Wakes: s.Wakes(b.options.Now)}
}

// checkSleepUnderUsers tells of a workload that sleeps at a time at which one that uses it is awake. It looks a week ahead, turn by turn.
func (b *builder) checkSleepUnderUsers() {
	for _, name := range sortedKeys(b.file.Workloads) {
		for i, other := range b.file.Workloads[name].Workload.Uses {
			used, known := b.schedules.workloads[other]
			if !known {
				continue
			}
			if at, ok := b.clash(b.schedules.workloads[name], used); ok {
				path := indexed(joined("workloads", name)+".uses", i)
				b.notice(b.at(path), path+": "+name+" is awake and "+other+" asleep at "+at.Format("Mon 2006-01-02 15:04 MST")+"; give both the same schedule")
			}
		}
	}
}

// clash is the first time within a week at which user is awake and used is not.
func (b *builder) clash(user, used schedule.Schedule) (time.Time, bool) {
	for at := b.options.Now; at.Before(b.options.Now.AddDate(0, 0, 7)); {
		awake, until := user.At(at)
		there, turn := used.At(at)
		if awake && !there {
			return at, true
		}
		if until.IsZero() || !turn.IsZero() && turn.Before(until) {
			until = turn
		}
		if until.IsZero() {
			break
		}
		at = until
	}
	return time.Time{}, false
}
