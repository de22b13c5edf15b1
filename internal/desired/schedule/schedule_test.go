package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"
)

func made(t testing.TB, zone string, awake []string, except ...string) Schedule {
	t.Helper()
	s, err := Settings{Timezone: zone, Awake: awake, Except: except}.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// walk is what a person would do who has only a clock on the wall and patience: note what it shows at every minute of more than a
// year, and find each window's beginning and end among the notes. It shares nothing with the schedule but the words.
type walk struct {
	from  time.Time
	shown []int // minutes since 1970 as the clock shows them
	awake []bool
}

func newWalk(zone *time.Location, from, to time.Time) *walk {
	w := &walk{from: from}
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		l := t.In(zone)
		w.shown = append(w.shown, int(time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC).Unix()/60))
	}
	return w
}

// asleep is the same walk with nothing awake yet.
func (w *walk) asleep() *walk { return &walk{w.from, w.shown, make([]bool, len(w.shown))} }

// first is the first minute at which the clock shows at or more; after is the first from which on it never shows less.
func (w *walk) first(at int) int {
	for i := max(0, at-w.shown[0]-200); i < len(w.shown); i++ {
		if w.shown[i] >= at {
			return i
		}
	}
	return len(w.shown)
}

func (w *walk) after(at int) int {
	for i := min(len(w.shown), at-w.shown[0]+200) - 1; i >= 0; i-- {
		if w.shown[i] < at {
			return i + 1
		}
	}
	return 0
}

// windows opens a window of every day in days.
func (w *walk) windows(days string, begin, end int, asleep ...string) {
	const day = 24 * 60
	for d := w.shown[0]/day - 1; d <= w.shown[len(w.shown)-1]/day; d++ {
		date := time.Unix(int64(d)*day*60, 0).UTC()
		if !strings.Contains(days, date.Format("Mon")) || slices.Contains(asleep, date.Format(time.DateOnly)) {
			continue
		}
		for i := w.first(d*day + begin); i < w.after(d*day+end); i++ {
			w.awake[i] = true
		}
	}
	for _, text := range asleep {
		d, _ := time.Parse(time.DateOnly, text)
		at := int(d.Unix() / 60)
		for i := w.first(at); i < w.first(at+day); i++ {
			w.awake[i] = false
		}
	}
}

// TestAYear compares every minute of 2026 and more, and every turn, in zones whose clocks jump at different times of the day and of
// the year, or never, by an hour and by half of one.
func TestAYear(t *testing.T) {
	const weekdays, everyDay = "MonTueWedThuFri", "MonTueWedThuFriSatSun"
	cases := []struct {
		why    string
		awake  []string
		days   []string // for the walk
		times  [][2]int
		except []string
	}{
		{"office hours know nothing of jumps at night, but of the length of the nights", []string{"Mon-Fri 08:00-20:00"}, []string{weekdays}, [][2]int{{480, 1200}}, nil},
		{"a window over midnight belongs to the day on which it begins", []string{"Fri,Sat 22:00-03:00"}, []string{"FriSat"}, [][2]int{{1320, 1620}}, nil},
		{"a window within the hour that is skipped and comes twice", []string{"02:15-02:45", "Mon 12:00-12:01"}, []string{everyDay, "Mon"}, [][2]int{{135, 165}, {720, 721}}, nil},
		{"a window that begins within that hour", []string{"Sun 02:30-09:00"}, []string{"Sun"}, [][2]int{{150, 540}}, nil},
		{"a window that ends within it", []string{"Sat 20:00-01:30"}, []string{"Sat"}, [][2]int{{1200, 1530}}, nil},
		{"windows that touch are one", []string{"Mon-Fri 08:00-12:00", "Mon-Fri 12:00-20:00", "Fri 20:00-24:00", "Sat 00:00-06:00"}, []string{weekdays, "Fri", "Sat"},
			[][2]int{{480, 1200}, {1200, 1440}, {0, 360}}, nil},
		{"whole days of exception, those on which clocks jump too", []string{"00:00-24:00"}, []string{everyDay}, [][2]int{{0, 1440}},
			[]string{"2026-03-08", "2026-03-29", "2026-04-24", "2026-09-06", "2026-10-25", "2026-11-01", "2026-12-25"}},
		{"an exception cuts what reaches into it from the day before", []string{"22:00-02:00"}, []string{everyDay}, [][2]int{{1320, 1560}}, []string{"2026-12-25", "2026-12-26"}},
	}
	zones := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Kolkata", "UTC"}
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2025, 12, 20, 0, 0, 0, 0, time.UTC)
		noted := newWalk(zone, from, from.AddDate(1, 1, 10))
		for _, c := range cases {
			t.Run(name+"/"+strings.Join(c.awake, ";"), func(t *testing.T) {
				t.Parallel()
				w := noted.asleep()
				for i, days := range c.days {
					w.windows(days, c.times[i][0], c.times[i][1], c.except...)
				}
				compare(t, c.why, made(t, name, c.awake, c.except...), w)
			})
		}
	}
}

// compare asks the schedule at both sides of every turn of the walk, and in the middle.
func compare(t *testing.T, why string, s Schedule, w *walk) {
	const margin = 8 * 24 * 60 // the walk does not see what reaches in from beyond its ends
	at := func(i int) time.Time { return w.from.Add(time.Duration(i) * time.Minute) }
	turns := 0
	for i := margin; i < len(w.awake)-margin; {
		end := i
		for end < len(w.awake) && w.awake[end] == w.awake[i] {
			end++
		}
		if end >= len(w.awake)-margin {
			break
		}
		for _, asked := range []time.Time{at(i), at(i + (end-i)/2), at(end).Add(-time.Nanosecond)} {
			if awake, until := s.At(asked); awake != w.awake[i] || !until.Equal(at(end)) {
				t.Fatalf("%s: at %s it is awake=%v until %s, and should be %v until %s", why, asked.In(s.zone), awake, until, w.awake[i], at(end).In(s.zone))
			}
		}
		turns++
		i = end
	}
	if turns < 14 {
		t.Fatalf("only %d turns were compared", turns)
	}
}

// TestJumps says in words what becomes of times that a jump skips or repeats.
func TestJumps(t *testing.T) {
	for _, c := range []struct{ why, zone, awake, asked, until string }{
		{"a time that does not exist is the moment of the jump", "Europe/Berlin", "Sun 02:30-09:00", "2026-03-29T00:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"of a time that comes twice the first wakes", "Europe/Berlin", "Sun 02:30-09:00", "2026-10-25T00:00:00+02:00", "2026-10-25T02:30:00+02:00"},
		{"and the last puts to sleep", "Europe/Berlin", "Sat 20:00-02:30", "2026-10-24T21:00:00+02:00", "2026-10-25T02:30:00+01:00"},
		{"a window that is skipped as a whole is left out", "Europe/Berlin", "Sun 02:00-03:00", "2026-03-28T12:00:00+01:00", "2026-04-05T02:00:00+02:00"},
		{"a midnight that does not exist is where the day begins", "Africa/Cairo", "Fri 00:00-06:00", "2026-04-23T12:00:00+02:00", "2026-04-24T01:00:00+03:00"},
		{"a summer night is an hour shorter in March", "America/New_York", "20:00-08:00", "2026-03-07T20:00:00-05:00", "2026-03-08T08:00:00-04:00"},
	} {
		asked, err := time.Parse(time.RFC3339, c.asked)
		if err != nil {
			t.Fatal(err)
		}
		if _, until := made(t, c.zone, []string{c.awake}).At(asked); until.Format(time.RFC3339) != c.until {
			t.Errorf("%s: %s at %s turns at %s, want %s", c.why, c.awake, c.asked, until.Format(time.RFC3339), c.until)
		}
	}
}

// TestALoopTurnsOnTime drives a loop as a daemon does, which sleeps until the moment that it was told and asks again: in two years it
// wakes exactly as often as there are turns, and never for nothing.
func TestALoopTurnsOnTime(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"} {
		synctest.Test(t, func(t *testing.T) {
			s := made(t, zone, []string{"Mon-Fri 08:00-20:00", "Sat 22:00-02:00"}, "2000-12-25")
			end := time.Now().AddDate(2, 0, 0)
			was, until := s.At(time.Now())
			turns, hours := 0, time.Duration(0)
			for time.Now().Before(end) {
				began := time.Now()
				time.Sleep(time.Until(until))
				if was {
					hours += time.Since(began)
				}
				is, next := s.At(time.Now())
				if is == was || !next.After(time.Now()) {
					t.Fatalf("%s: asked at %s, it is awake=%v as before, until %s", zone, time.Now().In(s.zone), is, next)
				}
				was, until = is, next
				turns++
			}
			// 104 or 105 weeks of six windows each, less a day; a jump by an hour moves no more than that.
			if turns < 2*6*104-4 || turns > 2*6*105+2 {
				t.Errorf("%s: %d turns in two years", zone, turns)
			}
			if perWeek := hours.Hours() / (731.0 / 7); perWeek < 63 || perWeek > 64.1 {
				t.Errorf("%s: awake for %.1f hours a week, want 64", zone, perWeek)
			}
		})
	}
}

func TestAlwaysAndNever(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		why   string
		s     Schedule
		awake bool
	}{
		{"always", made(t, "", []string{Always}), true},
		{"every minute of the week is always", made(t, "UTC", []string{"00:00-24:00"}), true},
		{"without a schedule nothing sleeps", Schedule{}, true},
	} {
		if awake, until := c.s.At(now); awake != c.awake || !until.IsZero() {
			t.Errorf("%s: awake=%v until %v, want %v for ever", c.why, awake, until, c.awake)
		}
		if wakes := c.s.Wakes(now); !wakes.IsZero() {
			t.Errorf("%s: wakes at %v", c.why, wakes)
		}
	}
	office := made(t, "Europe/Berlin", []string{"Mon-Fri 08:00-20:00"}, "2026-12-24..2027-01-01")
	day := time.Date(2026, 12, 23, 12, 0, 0, 0, office.zone)
	if wakes := office.Wakes(day); wakes.Format("2006-01-02 15:04") != "2027-01-04 08:00" {
		t.Errorf("awake on the last day before the holidays, it next wakes at %v", wakes)
	}
}

// TestSettings: what is left out is taken from the stack's, and what is always awake takes no holidays.
func TestSettings(t *testing.T) {
	stack := Settings{Timezone: "Europe/Berlin", Awake: Windows{"Mon-Fri 08:00-20:00"}, Except: []string{"2026-12-25"}}
	for _, c := range []struct {
		why       string
		own, want Settings
	}{
		{"nothing of its own", Settings{}, stack},
		{"its own hours", Settings{Awake: Windows{"06:00-22:00"}}, Settings{"Europe/Berlin", Windows{"06:00-22:00"}, []string{"2026-12-25"}}},
		{"always", Settings{Awake: Windows{Always}}, Settings{"Europe/Berlin", Windows{Always}, nil}},
		{"no holidays", Settings{Except: []string{}}, Settings{"Europe/Berlin", stack.Awake, []string{}}},
	} {
		if got := c.own.Over(stack); fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", c.want) {
			t.Errorf("%s: %#v, want %#v", c.why, got, c.want)
		}
	}
}

// FuzzSchedule: whatever is taken for a schedule turns at the moments that it names, and at no other.
func FuzzSchedule(f *testing.F) {
	f.Add("Europe/Berlin", "Mon-Fri 08:00-20:00", "2026-12-25", int64(1793000000))
	f.Add("Africa/Cairo", "Fri-Mon 22:00-02:00\n12:00-13:00", "2026-04-24..2026-04-30", int64(1777000000))
	f.Add("Australia/Lord_Howe", "Sun 01:45-02:15", "", int64(1775000000))
	f.Add("UTC", "always", "", int64(0))
	f.Add("%!", "0", "0", int64(0))
	f.Fuzz(func(t *testing.T, zone, awake, except string, at int64) {
		settings := Settings{Timezone: zone, Awake: strings.Split(awake, "\n")}
		if except != "" {
			settings.Except = strings.Split(except, "\n")
		}
		s, err := settings.Schedule()
		if err != nil {
			if strings.Contains(err.Error(), "%!") && !strings.Contains(zone+awake+except, "%!") { // what was written is quoted
				t.Fatal(err)
			}
			return
		}
		now := time.Unix(at%(200*365*24*3600), 0)
		for range 4 {
			is, until := s.At(now)
			if until.IsZero() {
				if !is {
					t.Fatalf("asleep for ever from %v on", now)
				}
				return
			}
			if !until.After(now) {
				t.Fatalf("at %v the next turn is %v", now, until)
			}
			if late, same := s.At(until.Add(-time.Nanosecond)); late != is || !same.Equal(until) {
				t.Fatalf("at %v awake=%v until %v, and just before that %v until %v", now, is, until, late, same)
			}
			if next, _ := s.At(until); next == is {
				t.Fatalf("at %v awake=%v until %v, and then still", now, is, until)
			}
			now = until
		}
	})
}
