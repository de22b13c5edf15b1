// Package cost turns what resources are billed for into dollars: a price book, in which every price carries its source and date, times the usage
// that each kind tells of. It is pure: it reads no file, asks no service and knows no kind. What it has no price for it lists as unpriced; it never
// takes a neighbour's price, and never nothing.
package cost

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"recsysd.dev/recsysd/internal/resource"
)

// HoursPerMonth is the month of every monthly figure: the one of Google's pricing pages and calculator, a twelfth of a year of 365 days.
const HoursPerMonth = 730

// Currency is the only one that there is: Google converts list prices at rates of its own, so a sum of two would be of none.
const Currency = "USD"

// Global is the region of a price that is the same everywhere.
const Global = "global"

// Book is a price book. It is read-only once it is made.
type Book struct {
	Name     string // for people: what it is and of which date
	Compiled string // YYYY-MM-DD: the day on which its prices were put together
	Sources  map[string]Source
	prices   map[place]*Price
}

// Day is the beginning, in UTC, of the day on which its prices were put together.
func (b *Book) Day() time.Time {
	day, err := time.Parse(time.DateOnly, b.Compiled)
	if err != nil { // it is read strictly
		return time.Time{}
	}
	return day
}

// place is what a price is found by.
type place struct{ key, region string }

// Source is where a price was read.
type Source struct {
	What  string
	Where string // address; "" where it has none
	AsOf  string // YYYY, YYYY-MM or YYYY-MM-DD
}

// Price is one price of one region.
type Price struct {
	Key, Region string
	Unit        Unit
	Known       bool   // the book has a figure; else it says that nobody has found one
	USD         Rate   // of the step that is paid
	Tiers       []Tier // by From, of which the first is 0; never empty where the price is known
	Cap         Rate   // the most that one usage comes to in an hour, or a month where the unit is of a month; 0: there is none
	Source      string // a key of Book.Sources; "SKU " and Google's id is the catalog itself
	AsOf        string
	Confidence  string // high, medium-high, medium, low, unknown
	Note        string
	SKU         string // Google's id, where it is known
	Pos         string // file:line:column
}

// Tier is a step of a price: what lies above From, in units of a month, costs USD each.
type Tier struct {
	From resource.Amount
	USD  Rate
}

// Unit is what a price is for.
type Unit string

// unitForms says how a unit is reckoned.
var unitForms = map[Unit]struct {
	noun   string // a quantity of it, for people
	hourly bool   // it is of an hour: a month has HoursPerMonth of it
	credit bool   // it is given, not taken: the one sort of price that is below zero
}{
	"vCPU-hour":             {"vCPU", true, false},
	"GiB-hour":              {"GiB", true, false},
	"cluster-hour":          {"cluster", true, false},
	"VM-hour":               {"VM", true, false},
	"hour":                  {"", true, false},
	"GiB-month":             {"GiB", false, false},
	"1000-objects-month":    {"1000 objects", false, false},
	"1000-operations":       {"1000 operations a month", false, false},
	"GiB":                   {"GiB a month", false, false},
	"image-digest":          {"images a month", false, false},
	"billing-account-month": {"", false, true},
}

// Noun is what a quantity of it is counted in, for people; "" for what is counted plainly.
func (u Unit) Noun() string { return unitForms[u].noun }

// hours is how many of it a month has.
func (u Unit) hours() int64 {
	if unitForms[u].hourly {
		return HoursPerMonth
	}
	return 1
}

//go:embed prices.yaml
var embedded []byte

// Embedded is the book that the program comes with. An error is a fault of the program.
func Embedded() (*Book, error) { return Parse("prices.yaml", embedded, nil) }

// Price is the entry of a key and a region itself, known or not; nil if the book has none.
func (b *Book) Price(key, region string) *Price { return b.prices[place{key, region}] }

// Lookup finds the price of a key in a region, else the one that the book has for all regions. Without one, why says what is
// missing, and where it would be: no other region's price is taken.
func (b *Book) Lookup(key, region string) (p *Price, why string) {
	if p = b.prices[place{key, region}]; p == nil {
		p = b.prices[place{key, Global}]
	}
	switch {
	case p == nil:
		return nil, b.missing(key, region)
	case !p.Known:
		return nil, fmt.Sprintf("the price book knows no figure for %s in %s%s", key, p.Region, because(p.Note))
	}
	return p, ""
}

func (b *Book) missing(key, region string) string {
	var there []string
	for at := range b.prices {
		if at.key == key {
			there = append(there, at.region)
		}
	}
	if len(there) == 0 {
		return "the price book has no " + key
	}
	slices.Sort(there)
	if region == "" {
		return fmt.Sprintf("the price of %s depends on the region, which is not known", key)
	}
	return fmt.Sprintf("the price book has %s of %s, not of %s", key, strings.Join(there, ", "), region)
}

func because(note string) string {
	if note == "" {
		return ""
	}
	return ": " + note
}

// Prices are all prices, by key and region.
func (b *Book) Prices() []*Price {
	all := make([]*Price, 0, len(b.prices))
	for _, p := range b.prices {
		all = append(all, p)
	}
	slices.SortFunc(all, func(p, q *Price) int {
		if c := strings.Compare(p.Key, q.Key); c != 0 {
			return c
		}
		return strings.Compare(p.Region, q.Region)
	})
	return all
}
