package cost_test

import (
	"testing"

	"recsysd.dev/recsysd/internal/cost"
)

func book(t testing.TB) *cost.Book {
	t.Helper()
	b, err := cost.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNoPriceIsBorrowedFromANeighbour(t *testing.T) {
	b := book(t)
	for _, c := range []struct {
		what, key, region string
		found             string // region of the price
		why               string
	}{
		{"its own region", "pd.balanced", "europe-west1", "europe-west1", ""},
		{"the book says that it is the same everywhere", "artifactregistry.storage", "europe-west4", "global", ""},
		{"and without a region too", "gke.cluster.management", "", "global", ""},
		{"the nearest region is not its region", "pd.balanced", "europe-west4", "", "the price book has pd.balanced of asia-southeast1, europe-west1, us-central1, not of europe-west4"},
		{"a figure that nobody found", "lb.forwarding_rule.minimum", "asia-southeast1", "", "the price book knows no figure for lb.forwarding_rule.minimum in asia-southeast1: not found; look it up live"},
		{"what nobody has heard of", "gpu.h100", "us-central1", "", "the price book has no gpu.h100"},
		{"a region is needed", "pd.balanced", "", "", "the price of pd.balanced depends on the region, which is not known"},
	} {
		p, why := b.Lookup(c.key, c.region)
		found := ""
		if p != nil {
			found = p.Region
		}
		if found != c.found || why != c.why {
			t.Errorf("%s: price of %q, %q", c.what, found, why)
		}
	}
}
