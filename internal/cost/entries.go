package cost

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"recsysd.dev/recsysd/internal/resource"
)

// schema is the only form of the file so far.
const schema = "1"

// Keys of the file. Those of notes are for people and for the program that refreshes the book; what is in them is not looked at.
var (
	bookKeys   = []string{"schema", "currency", "compiled", "sources", "prices", "conventions", "caveats", "catalog"}
	sourceKeys = []string{"what", "where", "as_of", "cross_check"}
	priceKeys  = []string{"key", "region", "unit", "usd", "source", "as_of", "confidence", "sku", "tiers", "cap", "note", "currency"}
	tierKeys   = []string{"from", "usd"}

	confidences = []string{"high", "medium-high", "medium", "low", "unknown"}
)

var (
	dates   = regexp.MustCompile(`^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$`)
	days    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	keys    = regexp.MustCompile(`^[a-z][a-z0-9_.-]*$`)
	decimal = regexp.MustCompile(`^(-?)([0-9]+)(?:\.([0-9]+))?$`)
	listed  = regexp.MustCompile(`^SKU ([0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4})$`)
)

// whole reads the file.
func (l *loader) whole(root *yaml.Node) {
	top := l.fields(root, "", bookKeys...)
	if top == nil {
		return
	}
	if v := l.text(top, root, "", "schema"); v != "" && v != schema {
		l.fault(top["schema"].value, "schema", "%q is not known; it must be %s", v, schema)
	}
	l.currency(top, root, "")
	if l.book.Compiled = l.date(top, root, "", "compiled"); l.book.Compiled != "" && !days.MatchString(l.book.Compiled) {
		l.fault(top["compiled"].value, "compiled", "must be a day such as 2026-11-23")
	}
	if e, ok := top["sources"]; ok {
		for _, id := range slices.Sorted(maps.Keys(l.fields(e.value, "sources"))) {
			l.source(id, l.fields(e.value, "")[id])
		}
	} else if l.base == nil {
		l.fault(root, "sources", "missing")
	}
	e, ok := top["prices"]
	switch {
	case !ok:
		l.fault(root, "prices", "missing")
	case e.value.Kind != yaml.SequenceNode:
		l.fault(e.value, "prices", "must be a list, not %s", shape(e.value))
	default:
		for i, n := range e.value.Content {
			l.price(n, fmt.Sprintf("prices[%d]", i))
		}
	}
}

// currency refuses all but one. at is nil where it may be missing.
func (l *loader) currency(of map[string]entry, at *yaml.Node, path string) {
	if _, ok := of["currency"]; !ok && at == nil {
		return
	}
	if v := l.text(of, at, path, "currency"); v != "" && v != Currency {
		l.fault(of["currency"].value, within(path, "currency"), "%q beside %s: a book has one currency, and sums are in %s", v, Currency, Currency)
	}
}

func (l *loader) source(id string, e entry) {
	path := within("sources", id)
	of := l.fields(e.value, path, sourceKeys...)
	if of == nil {
		return
	}
	l.book.Sources[id] = Source{What: l.text(of, e.value, path, "what"), Where: l.optional(of, path, "where"), AsOf: l.date(of, e.value, path, "as_of")}
}

// date is a year, a month or a day.
func (l *loader) date(of map[string]entry, at *yaml.Node, path, key string) string {
	v := l.text(of, at, path, key)
	_, err := time.Parse(time.DateOnly, v)
	if v != "" && !dates.MatchString(v) || days.MatchString(v) && err != nil {
		l.fault(of[key].value, within(path, key), "%q is no date such as 2026-11-23, 2026-11 or 2026", v)
	}
	return v
}

// price takes one price into the book.
func (l *loader) price(n *yaml.Node, path string) {
	of := l.fields(n, path, priceKeys...)
	if of == nil {
		return
	}
	p := &Price{
		Key: l.text(of, n, path, "key"), Region: l.text(of, n, path, "region"), Unit: Unit(l.text(of, n, path, "unit")),
		Source: l.text(of, n, path, "source"), AsOf: l.date(of, n, path, "as_of"), Confidence: l.text(of, n, path, "confidence"),
		SKU: l.optional(of, path, "sku"), Note: l.optional(of, path, "note"), Pos: l.at(n),
	}
	l.currency(of, nil, path)
	l.listed(p, of, path)
	l.words(p, of, path)
	switch usd, ok := of["usd"]; {
	case !ok:
		l.fault(n, path+".usd", "missing; null says that the price is not known")
	case null(usd.value):
		if _, tiers := of["tiers"]; tiers {
			l.fault(of["tiers"].key, path+".tiers", "steps of a price that is not known")
		}
	default:
		p.Known = true
		p.USD = l.rate(usd.value, path+".usd", p.Unit)
		l.tiers(p, of, path)
	}
	l.enter(p, n, path)
}

// listed makes a source of "SKU ID": the catalog under that id, which needs no entry of its own in sources.
func (l *loader) listed(p *Price, of map[string]entry, path string) {
	m := listed.FindStringSubmatch(p.Source)
	if m == nil {
		return
	}
	if p.SKU != "" && p.SKU != m[1] {
		l.fault(of["sku"].value, path+".sku", "%s, but its source is %s", p.SKU, p.Source)
	}
	p.SKU = m[1]
	if old, ok := l.book.Sources[p.Source]; !ok || old.AsOf < p.AsOf {
		l.book.Sources[p.Source] = Source{What: "Google's Cloud Billing Catalog", Where: "cloud.google.com/skus", AsOf: p.AsOf}
	}
}

// words judges what must be one of a few, or of a form.
func (l *loader) words(p *Price, of map[string]entry, path string) {
	if p.Key != "" && !keys.MatchString(p.Key) {
		l.fault(of["key"].value, path+".key", "%q must be lower-case words with points between them, such as pd.balanced", p.Key)
	}
	if p.Region != "" && !keys.MatchString(p.Region) {
		l.fault(of["region"].value, path+".region", "%q is neither a location such as us-central1 nor %s", p.Region, Global)
	}
	if _, ok := unitForms[p.Unit]; p.Unit != "" && !ok {
		l.fault(of["unit"].value, path+".unit", "unknown unit %q; there is %s", p.Unit, words(slices.Sorted(maps.Keys(unitForms))))
	}
	if _, ok := l.book.Sources[p.Source]; p.Source != "" && !ok {
		l.fault(of["source"].value, path+".source", "%q is not in sources, and not SKU and an id such as SKU E5F0-6A5D-7BAD", p.Source)
	}
	if p.Confidence != "" && !slices.Contains(confidences, p.Confidence) {
		l.fault(of["confidence"].value, path+".confidence", "%q is not one of %s", p.Confidence, strings.Join(confidences, ", "))
	}
	if e, ok := of["cap"]; ok {
		if p.Cap = l.rate(e.value, path+".cap", ""); p.Cap == 0 && e.value.Value != "" {
			l.fault(e.value, path+".cap", "must be more than nothing")
		}
		if t, both := of["tiers"]; both {
			l.fault(t.key, path+".tiers", "a price has steps or a cap, not both")
		}
	}
}

func words(us []Unit) string {
	var all []string
	for _, u := range us {
		all = append(all, string(u))
	}
	return strings.Join(all, ", ")
}

// tiers reads the steps of a known price, or makes its only one.
func (l *loader) tiers(p *Price, of map[string]entry, path string) {
	e, ok := of["tiers"]
	if !ok {
		p.Tiers = []Tier{{USD: p.USD}}
		return
	}
	path += ".tiers"
	if e.value.Kind != yaml.SequenceNode || len(e.value.Content) == 0 {
		l.fault(e.value, path, "must be a list of steps, at least one")
		return
	}
	paid := false
	for i, n := range e.value.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		step := l.fields(n, at, tierKeys...)
		from, usd := l.text(step, n, at, "from"), l.text(step, n, at, "usd")
		if from == "" || usd == "" {
			continue
		}
		t := Tier{From: l.amount(step["from"].value, at+".from"), USD: l.rate(step["usd"].value, at+".usd", p.Unit)}
		switch {
		case i == 0 && !t.From.Zero():
			l.fault(step["from"].value, at+".from", "the first step begins at 0, not at %s", from)
		case i > 0 && len(p.Tiers) > 0 && t.From.Compare(p.Tiers[len(p.Tiers)-1].From) <= 0:
			l.fault(step["from"].value, at+".from", "%s is not above the step before it, %s; steps go upwards", from, p.Tiers[len(p.Tiers)-1].From)
		}
		paid = paid || t.USD == p.USD
		p.Tiers = append(p.Tiers, t)
	}
	if !paid && len(p.Tiers) == len(e.value.Content) {
		l.fault(of["usd"].value, strings.TrimSuffix(path, ".tiers")+".usd", "%s is the price of none of its steps", p.USD)
	}
}

// rate reads a number of dollars exactly. Only a credit is below zero.
func (l *loader) rate(n *yaml.Node, path string, u Unit) Rate {
	m := decimal.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || m == nil {
		l.fault(n, path, "must be a plain decimal number of dollars such as 0.0445, not %s", shape(n))
		return 0
	}
	part := m[3] + strings.Repeat("0", max(rateDigits-len(m[3]), 0))
	v, err := strconv.ParseInt(m[1]+m[2]+part[:rateDigits], 10, 64)
	credit := unitForms[u].credit
	switch {
	case strings.Trim(part[rateDigits:], "0") != "":
		l.fault(n, path, "%s has more than %d digits behind the point", n.Value, rateDigits)
	case err != nil:
		l.fault(n, path, "%s is beyond any price", n.Value)
	case v < 0 && !credit:
		l.fault(n, path, "negative price %s", n.Value)
	case v > 0 && credit:
		l.fault(n, path, "%s: what a billing account is given is below zero", n.Value)
	default:
		return Rate(v)
	}
	return 0
}

// amount reads where a step begins.
func (l *loader) amount(n *yaml.Node, path string) resource.Amount {
	m := decimal.FindStringSubmatch(n.Value)
	if m == nil || m[1] != "" || len(m[3]) > 9 {
		l.fault(n, path, "must be a plain number that is not below zero, not %s", shape(n))
		return resource.Amount{}
	}
	v, err := strconv.ParseInt(m[2]+m[3], 10, 64)
	if err != nil {
		l.fault(n, path, "%s is too much", n.Value)
		return resource.Amount{}
	}
	return resource.Ratio(v, int64(math.Pow10(len(m[3]))))
}

// enter puts a price where it is found. Two of one place are a fault that names both.
func (l *loader) enter(p *Price, n *yaml.Node, path string) {
	at := place{p.Key, p.Region}
	if p.Key == "" || p.Region == "" {
		return
	}
	if first := l.book.prices[at]; first != nil {
		l.fault(n, path, "%s of %s is given twice; first at %s", p.Key, p.Region, first.Pos)
		return
	}
	if _, known := unitForms[p.Unit]; known {
		if first := l.units[p.Key]; first != nil && first.Unit != p.Unit {
			see := first.Pos
			if l.base != nil && l.base.prices[place{first.Key, first.Region}] == first {
				see = "the " + l.base.Name
			}
			l.fault(n, path, "%s is priced per %s, not per %s; see %s", p.Key, first.Unit, p.Unit, see)
		} else {
			l.units[p.Key] = p
		}
	}
	l.book.prices[at] = p
}
