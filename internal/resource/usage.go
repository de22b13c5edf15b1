package resource

import "slices"

// Usage is one thing that a resource is billed for while it exists, in what a price list knows: amounts, not dollars. What it comes to
// is the business of the room of prices.
//
// Three figures are made from it. At full hours it is Quantity. With sleep and with a number that something else chooses, it is Least,
// Quantity and Most, each for the share of the hours in which it does not sleep. What exists now is the Quantity of a live spec's
// usage, whatever its schedule.
type Usage struct {
	// Component is what it is, for people and their programs: one of the words below.
	Component string
	// Price is its key in the price book, such as pd.balanced; "" with Unknown, where not even that is known.
	Price string
	// Region is where it is, as the price book spells it: us-central1, us. A zone's is its region. "" where there is but one price.
	Region string
	// Quantity is how much of it there is at a time, in the price's unit without its hour or month: 3/2 for a vCPU and a half, 10 for a
	// disk of 10Gi. Of what is counted rather than kept (operations, bytes that pass), how much in a month.
	Quantity Amount
	// Least and Most bound the Quantity where an autoscaler chooses it; Quantity is then what is expected. Most zero: there is no range.
	Least, Most Amount
	// Asleep is the share of the hours of an average week in which it is not there because of its schedule; zero: it never sleeps.
	Asleep Amount
	// Estimated says that Quantity is what the stack file expects, not what anybody has measured.
	Estimated bool
	// Unknown says why Quantity, or Price, is not known: "size unknown". It is then shown and counted as unpriced, never as nothing.
	Unknown string
}

// Components of a price.
const (
	ComponentCPU        = "cpu"
	ComponentMemory     = "memory"
	ComponentEphemeral  = "ephemeral"
	ComponentDisk       = "disk"
	ComponentStorage    = "storage"
	ComponentOperations = "operations"
	ComponentManagement = "management-fee"
	ComponentCredit     = "free-tier-credit"
	ComponentBalancer   = "load-balancer"
	ComponentNAT        = "nat"
	ComponentAddress    = "address"
	ComponentMachine    = "machine"
)

// Usage is what the resource as it is wanted is billed for. The same Resource gives the same, so it need not be asked again until the
// stack is read again.
func (r Resource) Usage() []Usage { return usageOf(r.Spec) }

// Usage is what the live resource is billed for now; nothing where it is not known what is there. What sleeps by a schedule is not there
// while the resource sleeps. It was made with the observation: to ask again costs nothing, and the answer must not be changed.
func (o Observation) Usage() []Usage {
	if o.State == Unknown || o.State == Absent {
		return nil
	}
	return o.usage
}

// billedNow is what of a usage is billed while the resource sleeps, or does not. all may be another's too, and stays as it is.
func billedNow(all []Usage, asleep bool) []Usage {
	sleeps := func(u Usage) bool { return !u.Asleep.Zero() }
	if !asleep || !slices.ContainsFunc(all, sleeps) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), sleeps)
}
