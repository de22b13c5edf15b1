package spend

import (
	"maps"
	"sync"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// Account is the money of one stack. Take every pass in, save it afterwards, and ask for its figures at any time. It is safe for concurrent
// use. The zero value begins with the first pass.
type Account struct {
	mu      sync.Mutex
	now     Reckoning
	ledger  ledger
	rates   rates
	guessed bool // some rate is of what could not be seen, and may be gone by the next look
	budget  *resource.Budget
	warned  warned
	told    []string // by the clock, not handed out yet
	unsaved bool
}

// Figures are an account's at a moment.
type Figures struct {
	*Reckoning                  // nil before the first pass
	Now        cost.Money       // what a month would come to at the present rate; what could not be seen counts as it was seen last
	Spent      cost.Money       // since Since
	Saved      cost.Money       // since then, by sleep
	Month      cost.Money       // of Spent, since the calendar month began
	Forecast   cost.Money       // what the calendar month will have come to
	Since      time.Time        // the first moment that was counted; zero: none is yet
	Budget     *resource.Budget // nil: there is none
	Passed     int              // percent: the highest of the budget's thresholds that Forecast is above; 0: none
	Begin      time.Time        // of the calendar month
}

// Pass takes a pass in and returns what is to be told once: that a threshold of the budget is passed for the first time in a month, or that the
// clock has jumped. Without a book nothing is known of prices, and what was spent goes on at the last known rate.
func (a *Account) Pass(book *cost.Book, p reconcile.Pass) (news []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	begun, month := !a.ledger.since.IsZero(), monthOf(a.ledger.at)
	a.reach(p.End)
	if !begun || !monthOf(a.ledger.newest).Equal(month) {
		a.ledger.settle()
		a.unsaved = true
	}
	looked := p.Err == nil || len(p.Seen) > 0 // else there is nothing to learn from it
	if book != nil && looked {
		a.budget = p.Budget
		if a.now.take(book, &p) || a.guessed {
			var next rates
			next, a.guessed = a.rates.after(&a.now, &p)
			a.turn(next)
		}
	}
	if said := a.warn(); said != "" {
		a.told = append(a.told, said)
	}
	news, a.told = a.told, nil
	return news
}

// turn goes on at other rates from the newest moment on.
func (a *Account) turn(next rates) {
	if maps.Equal(a.rates, next) {
		return
	}
	a.ledger.settle()
	a.rates, a.ledger.rate, a.unsaved = next, next.sum(), true
}

func (a *Account) reach(t time.Time) {
	if said := a.ledger.reach(t); said != "" {
		a.told, a.unsaved = append(a.told, said), true
	}
}

// At are the figures at t. Asked again for a moment that is past, they are those of the newest.
func (a *Account) At(t time.Time) Figures {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ledger.since.IsZero() {
		return Figures{}
	}
	a.reach(t)
	f := Figures{Since: a.ledger.since, Now: a.ledger.rate.live, Budget: a.budget, Begin: monthOf(a.ledger.newest)}
	f.Spent, f.Saved, f.Month = a.ledger.sums()
	if a.now.book != nil {
		now := a.now // its reports are replaced, never changed
		f.Reckoning = &now
		f.Forecast, f.Passed = a.passed()
	}
	return f
}

// Save has write keep the account, if there is anything new in it. Restore reads it.
func (a *Account) Save(write func([]byte) error) error {
	a.mu.Lock()
	if !a.unsaved {
		a.mu.Unlock()
		return nil
	}
	state, err := a.state()
	a.unsaved = false
	a.mu.Unlock()
	if err == nil {
		err = write(state)
	}
	if err != nil {
		a.mu.Lock()
		a.unsaved = true
		a.mu.Unlock()
	}
	return err
}
