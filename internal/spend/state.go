package spend

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// state is an account as it is kept: sums and rates as exact decimals of dollars, since JSON's own numbers are none.
type state struct {
	Since     time.Time            `json:"since"`
	At        time.Time            `json:"at"`
	Spent     *exact               `json:"usd"`
	Saved     *exact               `json:"savedUsd"`
	Month     *exact               `json:"monthUsd"`
	Resources map[string]stateRate `json:"resources"` // by KIND/NAME, at the rate since At
	Warned    *stateWarned         `json:"warned,omitempty"`
}

type stateRate struct {
	Live  exact `json:"usdPerMonth"`
	Saved exact `json:"savedUsdPerMonth"`
}

type stateWarned struct {
	Month   time.Time `json:"month"`
	Budget  exact     `json:"budgetUsd"`
	Percent int       `json:"percent"`
}

// exact is Money without loss.
type exact struct{ cost.Money }

func (e exact) MarshalJSON() ([]byte, error) { return json.Marshal(e.Exact()) }

func (e *exact) UnmarshalJSON(b []byte) (err error) {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	e.Money, err = cost.ParseMoney(text)
	return err
}

func (a *Account) state() ([]byte, error) {
	l := &a.ledger
	s := state{
		Since: l.since, At: l.at, Spent: &exact{l.spent}, Saved: &exact{l.saved}, Month: &exact{l.month},
		Resources: make(map[string]stateRate, len(a.rates)),
	}
	for ref, r := range a.rates {
		s.Resources[ref.String()] = stateRate{exact{r.live}, exact{r.saved}}
	}
	if a.warned.percent > 0 {
		s.Warned = &stateWarned{a.warned.month, exact{a.warned.budget}, a.warned.percent}
	}
	return json.Marshal(s)
}

// Restore is the account that was saved as b. It goes on at the rates that it had then, as if it had never stopped.
func Restore(b []byte) (*Account, error) {
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	switch {
	case s.Since.IsZero() || s.At.Before(s.Since):
		return nil, fmt.Errorf("it counts from %s to %s", stamp(s.Since), stamp(s.At))
	case s.Spent == nil || s.Saved == nil || s.Month == nil:
		return nil, errors.New("a sum is missing")
	case s.Spent.Sign() < 0 || s.Saved.Sign() < 0 || s.Month.Sign() < 0:
		return nil, errors.New("a sum is below nothing")
	}
	a := &Account{rates: rates{}}
	for text, r := range s.Resources {
		ref, err := resource.ParseRef(text)
		if err != nil {
			return nil, err
		}
		a.rates[ref] = rate{r.Live.Money, r.Saved.Money}
	}
	at := moment(s.At)
	a.ledger = ledger{
		since: moment(s.Since), at: at, newest: at, spent: s.Spent.Money, saved: s.Saved.Money, month: s.Month.Money, rate: a.rates.sum(),
	}
	if w := s.Warned; w != nil {
		a.warned = warned{w.Month.UTC(), w.Budget.Money, w.Percent}
	}
	return a, nil
}
