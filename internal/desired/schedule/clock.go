package schedule

import "time"

// dateOf is the day that a clock shows.
func dateOf(t time.Time) date { return dayOf(t.Year(), t.Month(), t.Day()) }

func dayOf(year int, month time.Month, day int) date {
	return date(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

func (d date) weekday() time.Weekday {
	return time.Unix(int64(d)*24*60*60, 0).UTC().Weekday()
}

func (d date) String() string { return time.Unix(int64(d)*24*60*60, 0).UTC().Format(time.DateOnly) }

// wall is what a clock would show at that minute of a day, as if it stood in UTC.
func (d date) wall(minute int) time.Time {
	return time.Unix(int64(d)*24*60*60+int64(minute)*60, 0).UTC()
}

// far is further than any zone is from UTC, and than any clock was ever set.
const far = 50 * time.Hour

// first is the first moment at which a clock in zone shows that minute of the day, or more.
func first(zone *time.Location, d date, minute int) time.Time {
	wall := d.wall(minute)
	for t := wall.Add(-far); ; {
		begin, end, offset := piece(zone, t)
		shown := wall.Add(-offset) // if the offset were that for ever
		switch {
		case shown.Before(begin): // the clock jumped over it
			return begin.In(zone)
		case end.IsZero() || shown.Before(end):
			return shown.In(zone)
		}
		t = end
	}
}

// over is the first moment from which on a clock in zone never shows less than that minute of the day.
func over(zone *time.Location, d date, minute int) time.Time {
	wall := d.wall(minute)
	var last time.Time
	for t := wall.Add(-far); t.Before(wall.Add(far)); {
		begin, end, offset := piece(zone, t)
		shown := wall.Add(-offset)
		if shown.After(begin) { // less is shown before it
			last = shown
			if !end.IsZero() && end.Before(shown) {
				last = end
			}
		}
		if end.IsZero() {
			break
		}
		t = end
	}
	return last.In(zone)
}

// piece is the stretch of time around t in which a zone has one offset from UTC; a zero time has no bound.
func piece(zone *time.Location, t time.Time) (begin, end time.Time, offset time.Duration) {
	at := t.In(zone)
	begin, end = at.ZoneBounds()
	_, seconds := at.Zone()
	return begin, end, time.Duration(seconds) * time.Second
}
