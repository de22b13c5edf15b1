package cost_test

import (
	"encoding/json"
	"testing"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/resource"
)

// billed is a wanted resource that is billed for what it says.
type billed struct {
	Name string
	Uses []resource.Usage
}

func (b billed) Ref() resource.Ref             { return ref("thing", b.Name) }
func (b billed) Needs() []resource.Need        { return nil }
func (b billed) Lifetime() resource.Lifetime   { return resource.Disposable }
func (b billed) Validate() error               { return nil }
func (b billed) Diff(billed) []resource.Change { return nil }
func (b billed) Usage() []resource.Usage       { return b.Uses }
func wanted(name string, us ...resource.Usage) resource.Resource {
	return resource.Of(billed{name, us})
}

func TestBeyond(t *testing.T) {
	const region = "us-central1"
	pods := func(n int64) []resource.Usage {
		return []resource.Usage{
			use(resource.ComponentCPU, "gke.autopilot.general-purpose.regular.vcpu", region, n, 2),
			use(resource.ComponentMemory, "gke.autopilot.general-purpose.regular.memory", region, n, 1),
		}
	}
	rules := func(n int64) []resource.Usage {
		return []resource.Usage{use(resource.ComponentBalancer, "lb.forwarding_rule.minimum", region, n, 1)}
	}
	sized := func(n int64, estimated bool, unknown string) []resource.Usage {
		u := use(resource.ComponentDisk, "pd.balanced", region, n, 1)
		u.Estimated, u.Unknown = estimated, unknown
		return []resource.Usage{u}
	}
	halfTime := func(us []resource.Usage) []resource.Usage {
		for i := range us {
			us[i].Asleep = resource.Ratio(1, 2)
		}
		return us
	}
	for _, c := range []struct {
		what         string
		others       []resource.Resource
		live, wanted []resource.Usage
		want         string // "": it has no entry
	}{
		{"nine more pods of 500m and 1Gi: 9×(0.5×0.0445+0.0049225)×730", nil, pods(10), pods(1), "178.52"},
		{"what is gone saves its price", nil, nil, pods(1), "-19.84"},
		{"with half of the hours asleep, half of it", nil, halfTime(pods(10)), halfTime(pods(1)), "89.26"},
		{"a field that costs nothing", nil, pods(1), pods(1), ""},
		{"what was measured in place of what is expected", nil, sized(10, false, ""), sized(10, true, ""), ""},
		{"the first rule pays the minimum: 0.025×730", nil, rules(1), nil, "18.25"},
		{"a second one is covered by it", []resource.Resource{wanted("web", rules(1)...)}, rules(1), nil, "0.00"},
		{"a sixth one pays for itself: 0.01×730", []resource.Resource{wanted("web", rules(5)...)}, rules(1), nil, "7.30"},
		{"a size that nobody knows", nil, sized(0, false, "size unknown"), sized(10, false, ""), "disk: size unknown"},
		{"a price that nobody knows", nil, []resource.Usage{use(resource.ComponentMachine, "gce.none", region, 1, 1)}, nil, "machine: the price book has no gce.none"},
	} {
		at := ref("thing", "api")
		all := append([]resource.Resource{wanted("api", c.wanted...)}, c.others...)
		e, has := cost.Beyond(book(t), all, map[resource.Ref]cost.Stray{at: {Live: c.live, Wanted: c.wanted}}, cost.Options{})[at]
		got := e.Unpriced
		if has && got == "" {
			got = e.Month.String()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// Sums come back from the disk and over the socket as they were written, and what is none is an error.
func TestMoneyTravelsThroughJSON(t *testing.T) {
	for text, want := range map[string]string{"0": "0.00", "178.883361": "178.88", "-19.875929": "-19.88", "12": "12.00"} {
		var m cost.Money
		if err := json.Unmarshal([]byte(text), &m); err != nil || m.String() != want {
			t.Errorf("%s became %s, %v", text, m, err)
		}
		if b, err := json.Marshal(m); err != nil || string(b) != text {
			t.Errorf("%s was written again as %s, %v", text, b, err)
		}
	}
	for _, text := range []string{`"12"`, "1e999999999", "true", "1/3"} {
		if err := new(cost.Money).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is taken for a sum", text)
		}
	}
}
