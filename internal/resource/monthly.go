package resource

import "slices"

// Monthly is what a live resource is billed for in a month if it stays as it was seen, by the schedule of said, which is what the stack
// says of it. How long it will sleep, and what an autoscaler is expected to choose, no live resource tells.
func (o Observation) Monthly(said []Usage) []Usage {
	if o.Asleep { // awake, it is what the stack says, as far as anybody can see
		return Measured(said, o.Usage())
	}
	usages := slices.Clone(o.Usage())
	for i := range usages {
		u := &usages[i]
		j := slices.IndexFunc(said, func(w Usage) bool { return w.Component == u.Component })
		if j < 0 {
			continue
		}
		u.Asleep, u.Least, u.Most = said[j].Asleep, said[j].Least, said[j].Most
		if w := said[j]; !w.Most.Zero() && u.Price == w.Price && u.Quantity.Compare(w.Least) >= 0 && u.Quantity.Compare(w.Most) <= 0 {
			u.Quantity = w.Quantity
		}
	}
	return usages
}

// Measured are usages with what was measured in place of what the stack file only expects: no change of settings changes how much is
// stored, and what is stored in several classes stays in them. Of what not even the price was known, all that was seen takes the place:
// the memory of pods whose number nobody knew along with their CPU.
func Measured(usages, live []Usage) []Usage {
	all := make([]Usage, 0, len(usages))
	for _, u := range usages {
		known := false
		for _, l := range live {
			if !u.Estimated && u.Unknown == "" || l.Estimated || l.Unknown != "" || !standsFor(l, u, usages) {
				continue
			}
			if u.Unknown == "" {
				l.Region = u.Region // where it is wanted
			}
			l.Least, l.Most, l.Asleep = u.Least, u.Most, u.Asleep
			all, known = append(all, l), true
		}
		if !known {
			all = append(all, u)
		}
	}
	return all
}

// standsFor reports whether a live usage is of the same as the wanted u, and not of another of usages.
func standsFor(live, u Usage, usages []Usage) bool {
	return live.Component == u.Component || u.Unknown != "" && u.Price == "" &&
		!slices.ContainsFunc(usages, func(o Usage) bool { return o.Component == live.Component })
}
