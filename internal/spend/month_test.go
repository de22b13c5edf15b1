package spend_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAMonthByHand runs a stack from the last day of January 2000 to the first of March, pass by pass as the daemon would, and compares the sums with
// those that a hand works out. That February has 29 days, and 21 of them are weekdays: the 1st is a Tuesday.
//
//	api    2 vCPU, awake on weekdays from 8 to 20; 4 vCPU from Sunday the 20th at 15:30 on, when it sleeps
//	web    1 vCPU at all hours; 3 from the 10th at 9:00 on
//	data   100 GiB at 0.02 a month: 2.00 in 730 hours
func TestAMonthByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, thing{Name: "api", CPU: 2, Sleepy: true}, thing{Name: "web", CPU: 1}, thing{Name: "data", GiB: 100})
		says := func(when, what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s, %s: $%s, by hand $%s", when, what, got, want)
			}
		}

		until(time.January, 31, 12, 0) // a Monday
		w.start()
		until(time.February, 1, 0, 0)
		synctest.Wait()
		f := w.account.At(time.Now())
		// api 8 h × 0.2 = 1.60, web 12 h × 0.1 = 1.20, data 12 h × 2.00/730 = 0.0329
		says("at the end of January", "spent", f.Spent.Text(4), "2.8329")
		says("at the end of January", "saved: api slept for 4 h × 0.2", f.Saved.Text(4), "0.8000")
		says("at the end of January", "of February", f.Month.Text(4), "0.0000")

		until(time.February, 5, 2, 0) // a Saturday: stopped in good order for three hours of sleep
		w.end()
		until(time.February, 5, 5, 0)
		w.start()

		until(time.February, 10, 9, 0)
		w.push(func() { w.things[1].CPU = 3 })
		until(time.February, 10, 12, 0)
		f = w.account.At(time.Now())
		// So far: web 225 h × 0.1 + 3 h × 0.3 = 23.40; api 7 weekdays and 4 h are 88 h × 0.2 = 17.60; data 228 h × 2/730 = 0.6247.
		says("on the 10th at noon", "spent in February", f.Month.Text(3), "41.625")
		// 468 h are left: web × 0.3 = 140.40; api × 0.2 × 60/168 = 33.4286; data × 2/730 = 1.2822. All: 216.7354.
		says("on the 10th at noon", "forecast", f.Forecast.String(), "216.74")

		until(time.February, 14, 7, 55) // a Monday: at 8 api wakes, and the daemon is killed before anything of that is written down
		w.kill(time.Date(2000, time.February, 14, 8, 0, 0, 0, time.UTC))
		until(time.February, 14, 8, 10)
		if w.dying(time.Now()) {
			t.Fatal("the daemon did not die")
		}
		w.start()

		until(time.February, 20, 15, 30)
		w.push(func() { w.things[0].CPU = 4 })

		until(time.February, 23, 19, 0) // a Wednesday: nobody is there to put api to sleep, until Thursday at 9
		w.end()
		until(time.February, 24, 9, 0)
		w.start()

		until(time.February, 29, 23, 59)
		time.Sleep(59*time.Second + 999*time.Millisecond)
		f = w.account.At(time.Now())
		// web: 225 h × 0.1 + 471 h × 0.3                                               163.8000
		// api: 14 weekdays of 12 h × 0.2, less 10 minutes that only a dead process saw   33.5667
		//      7 weekdays of 12 h × 0.4, and the night of the 23rd, 12 h × 0.4           38.4000
		// data: 696 h × 2/730                                                             1.9068
		says("at the end of February", "spent in it", f.Month.String(), "237.67")
		says("at the end of February", "spent in all: 2.8329 more", f.Spent.String(), "240.51")
		says("at the end of February", "forecast: it is over", f.Forecast.String(), "237.67")
		// api slept for 303.5 h × 0.2 until it was made larger, and 10 minutes more by the books: 60.7333. Then, of 224.5 h, for all but
		// 84 h awake and the 12 h in which it should have slept: 128.5 h × 0.4 = 51.40. In January 0.80.
		says("at the end of February", "saved", f.Saved.String(), "112.93")

		until(time.March, 1, 6, 0)
		f = w.account.At(time.Now())
		// web 6 h × 0.3, data 6 h × 2/730, and api sleeps: 1.8164
		says("in March", "spent in it", f.Month.String(), "1.82")
		says("in March", "spent in all", f.Spent.String(), "242.32")
		says("in March", "saved: 6 h × 0.4 more", f.Saved.String(), "115.33")
		w.end()

		// The first look, the evening of the 31st, the two turns of the month, two changes of size, and api's two turns on each of 21
		// weekdays but for the two that nobody saw.
		if want := 1 + 1 + 2 + 2 + 2*21 - 2; w.writes != want {
			t.Errorf("%d passes wrote the file %d times, by hand %d", w.passes, w.writes, want)
		}
		if w.passes < 40_000 {
			t.Errorf("only %d passes were made", w.passes)
		}
		if len(w.news) > 0 {
			t.Errorf("nothing was to be told: %q", w.news)
		}
	})
}
