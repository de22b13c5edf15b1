package grafana

// The kinds of panel that are used.
const (
	stat       = "stat"
	timeseries = "timeseries"
	table      = "table"
)

// Units, as Grafana names them.
const (
	number  = "short"
	ago     = "s"
	dollars = "currencyUSD"
	rate    = "reqps"
	bytesOf = "bytes"
	share   = "percentunit"
	whole   = "percent"
)

// row is a heading with its panels.
type row struct {
	title  string
	panels []panel
}

type panel struct {
	title, about string
	kind         string
	w, h         int
	unit         string
	queries      []query
	limits       []limit // colors by value; the first holds from the smallest on
	stacked      bool
}

type query struct{ expr, legend string }

type limit struct {
	from  float64
	color string
}

// commits are the series that began a moment ago: each commit that a stack turns to begins one.
const commits = `recsysd_revision_info{stack=~"$stack"} unless recsysd_revision_info{stack=~"$stack"} offset 1m`

func bad(from float64) []limit  { return []limit{{0, "green"}, {from, "red"}} }
func warn(from float64) []limit { return []limit{{0, "green"}, {from, "orange"}} }
func good() []limit             { return []limit{{0, "red"}, {1, "green"}} }

// rows are the whole dashboard.
func rows() []row {
	return []row{{"State", state()}, {"Drift", drift()}, {"Cost", money()}, {"Passes", passes()}, {"API calls", calls()}, {"Daemon", daemon()}}
}

func state() []panel {
	return []panel{
		{"Alerts firing", "Of recsysd's own alerts, without the watchdog.", stat, 4, 4, number, []query{
			{`count(ALERTS{alertname=~"Recsysd.+",alertname!="RecsysdWatchdog",alertstate="firing"}) or vector(0)`, "firing"},
		}, bad(1), false},
		{"Converged", "How long ago everything was last as wanted.", stat, 5, 4, ago, []query{
			{`time() - recsysd_last_converged_timestamp_seconds{stack=~"$stack"}`, "{{stack}}"},
		}, []limit{{0, "green"}, {900, "orange"}, {3600, "red"}}, false},
		{"Not usable", "Resources that others cannot build on now.", stat, 5, 4, number, []query{
			{`sum by (stack) (recsysd_resource_usable{stack=~"$stack"} == bool 0)`, "{{stack}}"},
		}, bad(1), false},
		{"Held", "Resources whose difference is known, and left, for a reason that recsysd status gives.", stat, 5, 4, number, []query{
			{`sum by (stack) (recsysd_resource_held{stack=~"$stack"})`, "{{stack}}"},
		}, warn(1), false},
		{"Kinds that cannot be observed", "A right that is missing, or an API that is down.", stat, 5, 4, number, []query{
			{`sum by (stack) (recsysd_kind_blind{stack=~"$stack"})`, "{{stack}}"},
		}, bad(1), false},
		{"Git", "1: the repository can be read; the newest commit is a valid stack; new image tags reach Git, where they are to.", stat, 12, 4, number, []query{
			{`recsysd_source_up{stack=~"$stack"}`, "{{stack}} read"},
			{`recsysd_stack_valid{stack=~"$stack"}`, "{{stack}} valid"},
			{`recsysd_writeback_up{stack=~"$stack"}`, "{{stack}} tags"},
		}, good(), false},
		{"On purpose", "1: the stack is suspended, that is looked at and not written; the newest commit is held because it comes to more than its budget.", stat, 12, 4, number, []query{
			{`recsysd_suspended{stack=~"$stack"}`, "{{stack}} suspended"},
			{`recsysd_budget_held{stack=~"$stack"}`, "{{stack}} held by its budget"},
		}, warn(1), false},
		{"Commits", "Attempted is in force; applied is the newest that converged.", table, 12, 7, number, []query{
			{`sum by (stack, attempted, applied) (recsysd_revision_info{stack=~"$stack"})`, "is"},
		}, nil, false},
		{"What is held", "recsysd status gives the reason of each.", table, 12, 7, number, []query{
			{`sum by (stack, kind, name) (recsysd_resource_held{stack=~"$stack"}) > 0`, "held"},
		}, nil, false},
	}
}

func drift() []panel {
	return []panel{
		{"Resources in drift", "They differ from Git, by no commit.", timeseries, 12, 7, number, []query{
			{`sum by (stack) (recsysd_resource_drift{stack=~"$stack"} > bool 0)`, "{{stack}} in drift"},
			{`sum by (stack) (recsysd_drift_fights{stack=~"$stack"}) or on (stack) 0 * recsysd_suspended{stack=~"$stack"}`, "{{stack}} fought over"},
		}, nil, false},
		{"Found and put back", "In each five minutes. Also what was in drift for less than a second.", timeseries, 12, 7, number, []query{
			{`sum by (stack, kind) (increase(recsysd_drift_detected_total{stack=~"$stack"}[5m]))`, "{{stack}} {{kind}} found"},
			{`sum by (stack, kind) (increase(recsysd_drift_corrected_total{stack=~"$stack"}[5m]))`, "{{stack}} {{kind}} put back"},
		}, nil, false},
		{"In drift now: fields, seconds, dollars a month", "recsysd drift names the fields and the hand. Dollars: what it costs beyond what is wanted.", table, 16, 8, number, []query{
			{`sum by (stack, kind, name) (recsysd_resource_drift{stack=~"$stack"}) > 0`, "fields"},
			{`sum by (stack, kind, name) (time() - recsysd_resource_drift_since_timestamp_seconds{stack=~"$stack"})`, "seconds"},
			{`sum by (stack, kind, name) (recsysd_drift_usd_per_month{stack=~"$stack"})`, "dollars"},
		}, nil, false},
		{"Writes that nothing explains", "In the last hour. The provider stores something else than it was given.", stat, 8, 8, number, []query{
			{`increase(recsysd_unexplained_writes_total{stack=~"$stack"}[1h])`, "{{stack}}"},
		}, warn(1), false},
	}
}

func money() []panel {
	return []panel{
		{"A month at list price", "Desired: as the stack says, at full hours. Scheduled: with its sleep. Live: what is there now.", stat, 12, 5, dollars, []query{
			{`sum by (stack, basis) (recsysd_cost_usd_per_month{stack=~"$stack"})`, "{{stack}} {{basis}}"},
		}, nil, false},
		{"This month", "What it will have come to, at what is there now and its schedule, and the budget for it.", stat, 6, 5, dollars, []query{
			{`recsysd_cost_forecast_usd{stack=~"$stack"}`, "{{stack}}"},
			{`recsysd_budget_usd_per_month{stack=~"$stack"}`, "{{stack}} budget"},
		}, nil, false},
		{"Threshold of the budget", "The highest of budget.warnAt that this month will have passed; 0: none. Only of stacks with a budget.", stat, 6, 5, whole, []query{
			{`recsysd_budget_passed_percent{stack=~"$stack"}`, "{{stack}}"},
		}, []limit{{0, "green"}, {1, "orange"}, {100, "red"}}, false},
		{"Spent, and saved by sleep", "In each day that ends at the point shown.", timeseries, 12, 5, dollars, []query{
			{`increase(recsysd_cost_usd_total{stack=~"$stack"}[1d])`, "{{stack}} spent"},
			{`increase(recsysd_cost_saved_usd_total{stack=~"$stack"}[1d])`, "{{stack}} saved"},
		}, nil, false},
		{"Without a price", "Things billed that are in no figure. recsysd cost names them.", stat, 6, 5, number, []query{
			{`recsysd_cost_unpriced{stack=~"$stack"}`, "{{stack}}"},
		}, warn(1), false},
		{"Age of the prices", "recsysd prices refresh makes a new book.", stat, 6, 5, ago, []query{
			{`time() - recsysd_price_book_timestamp_seconds`, "{{instance}}"},
		}, warn(180 * 86400), false},
		{"Live, by resource", "The dearest fifteen.", timeseries, 12, 8, dollars, []query{
			{`topk(15, recsysd_cost_usd_per_month{stack=~"$stack",basis="live"})`, "{{kind}}/{{name}}"},
		}, nil, true},
		{"A month, by resource", "What is free has no line.", table, 12, 8, dollars, []query{
			{`sum by (stack, kind, name) (recsysd_cost_usd_per_month{stack=~"$stack",basis="desired"})`, "desired"},
			{`sum by (stack, kind, name) (recsysd_cost_usd_per_month{stack=~"$stack",basis="scheduled"})`, "scheduled"},
			{`sum by (stack, kind, name) (recsysd_cost_usd_per_month{stack=~"$stack",basis="live"})`, "live"},
		}, nil, false},
	}
}

func passes() []panel {
	return []panel{
		{"Last pass", "How long ago it ended.", stat, 6, 7, ago, []query{
			{`time() - recsysd_last_pass_timestamp_seconds{stack=~"$stack"}`, "{{stack}}"},
		}, bad(900), false},
		{"How they end", "Passes a minute. Failed: a step, or something is blind or broken. Invalid: the newest commit.", timeseries, 9, 7, number, []query{
			{`sum by (stack, outcome) (rate(recsysd_passes_total{stack=~"$stack"}[$__rate_interval])) * 60`, "{{stack}} {{outcome}}"},
		}, nil, true},
		{"How long they take", "Half of them, and nineteen of twenty.", timeseries, 9, 7, ago, []query{
			{`histogram_quantile(0.5, sum by (stack, le) (rate(recsysd_pass_duration_seconds_bucket{stack=~"$stack"}[$__rate_interval])))`, "{{stack}} half"},
			{`histogram_quantile(0.95, sum by (stack, le) (rate(recsysd_pass_duration_seconds_bucket{stack=~"$stack"}[$__rate_interval])))`, "{{stack}} 19 of 20"},
		}, nil, false},
		{"Steps", "In each five minutes, by what was done and how it ended.", timeseries, 24, 7, number, []query{
			{`sum by (stack, verb, outcome) (increase(recsysd_steps_total{stack=~"$stack"}[5m]))`, "{{stack}} {{verb}} {{outcome}}"},
		}, nil, true},
	}
}

func calls() []panel {
	return []panel{
		{"Requests", "To clouds and clusters, by all stacks of the daemon.", timeseries, 8, 8, rate, []query{
			{`sum by (service) (rate(recsysd_api_requests_total[$__rate_interval]))`, "{{service}}"},
		}, nil, true},
		{"By answer", "The status as each service names it. A 404 or NotFound is what is not there yet.", timeseries, 8, 8, rate, []query{
			{`sum by (service, code) (rate(recsysd_api_requests_total[$__rate_interval]))`, "{{service}} {{code}}"},
		}, nil, true},
		{"Most frequent", "In the last hour.", table, 8, 8, number, []query{
			{`topk(15, sum by (service, method) (increase(recsysd_api_requests_total[1h])))`, "requests"},
		}, nil, false},
	}
}

func daemon() []panel {
	return []panel{
		{"Configuration", "1: the one in its file is in force.", stat, 4, 6, number, []query{
			{`recsysd_config_valid`, "{{instance}}"},
		}, good(), false},
		{"Version", "", table, 6, 6, number, []query{
			{`sum by (instance, version, goversion) (recsysd_build_info)`, "is"},
		}, nil, false},
		{"Memory", "Resident.", timeseries, 7, 6, bytesOf, []query{
			{`process_resident_memory_bytes and on (instance) recsysd_build_info`, "{{instance}}"},
		}, nil, false},
		{"Processor", "Of one core.", timeseries, 7, 6, share, []query{
			{`rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) recsysd_build_info`, "{{instance}}"},
		}, nil, false},
	}
}
