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
// stored.
func Measured(usages, live []Usage) []Usage {
	usages = slices.Clone(usages)
	for i := range usages {
		u := &usages[i]
		if !u.Estimated && u.Unknown == "" {
			continue
		}
		j := slices.IndexFunc(live, func(l Usage) bool { return l.Component == u.Component })
		if j >= 0 && !live[j].Estimated && live[j].Unknown == "" {
			u.Quantity, u.Estimated = live[j].Quantity, false
			if u.Unknown != "" {
				u.Price, u.Region, u.Unknown = live[j].Price, live[j].Region, ""
			}
		}
	}
	return usages
}
