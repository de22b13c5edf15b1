// Bench holds a run of the benchmarks against the stored one:
//
//	go run ./test/bench test/bench/baseline.txt now.txt
//
// Only units that end in -x-floor are looked at: each is a ratio to the same work done bare in the same run, and smaller is better. It ends
// with status 1 if one that was stored is missing, or has become worse by more than the bound where benchstat finds the difference to be
// more than noise. The stored run is made by make bench-baseline.
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"text/tabwriter"
)

// benchstat compares the samples. Its version is fixed, because its CSV is read here.
const benchstat = "golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da"

// Names of the two runs in benchstat's table.
const (
	stored = "stored"
	now    = "now"
)

func main() { os.Exit(run()) }

func run() int {
	bound := flag.Float64("bound", 25, "percent by which a ratio may become worse")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: bench [-bound PERCENT] STORED NOW")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rows, err := compare(ctx, flag.Arg(0), flag.Arg(1))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	bad := report(os.Stdout, rows, *bound)
	if bad > 0 {
		fmt.Printf("%d of %d are worse than the stored run. If that is meant, say why in the commit and store a new one: make bench-baseline\n", bad, len(rows))
		return 1
	}
	return 0
}

// row is one ratio of one benchmark in both runs.
type row struct {
	name, unit string
	was, is    *float64 // medians; nil: not in that run
	real       bool     // benchstat finds more than noise between them
}

// compare has benchstat compare the ratios in two files of benchmark results. Neither the number of processors nor the machine's name
// keeps two results apart.
func compare(ctx context.Context, before, after string) ([]row, error) {
	// Each run compares about ten ratios, in every change: one in twenty by chance alone (benchstat's own alpha) would be too many.
	cmd := exec.CommandContext(ctx, "go", "run", benchstat, "-alpha", "0.01", "-format", "csv", "-filter", `.unit:/-x-floor$/`, "-table", "pkg", "-ignore", "/gomaxprocs",
		stored+"="+before, now+"="+after)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint // what it complains of without an error is of intervals that are not looked at here
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("benchstat: %w: %s", err, complaint.String())
	}
	return parse(&out)
}

// parse reads benchstat's tables, one for each package and unit: a line with the names of the runs, one with the unit, then the rows.
func parse(r io.Reader) ([]row, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	var rows []row
	var column map[string]int // of a run's median
	unit := ""
	for {
		record, err := in.Read()
		switch {
		case errors.Is(err, io.EOF) && len(rows) == 0:
			return nil, errors.New("no ratio to compare in either run")
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return nil, fmt.Errorf("benchstat's CSV: %w", err)
		case len(record) == 1 || record[0] == "geomean": // pkg: ..., or a summary
		case record[0] == "" && (record[1] == stored || record[1] == now):
			column, unit = map[string]int{}, ""
			for i, name := range record {
				if name != "" {
					column[name] = i
				}
			}
		case record[0] == "":
			unit = record[1]
		default:
			row := row{name: record[0], unit: unit}
			if row.was, err = median(record, column, stored); err == nil {
				row.is, err = median(record, column, now)
			}
			if unit == "" {
				err = errors.Join(err, errors.New("it has no unit"))
			}
			if err != nil {
				return nil, fmt.Errorf("benchstat's CSV: %q is not understood: %w", record, err)
			}
			// The comparison stands behind both medians and their intervals; ~ says that it may be noise.
			if i := column[now] + 2; row.was != nil && row.is != nil {
				row.real = i < len(record) && strings.HasSuffix(record[i], "%")
			}
			rows = append(rows, row)
		}
	}
}

func median(record []string, column map[string]int, of string) (*float64, error) {
	i, there := column[of]
	if !there || i >= len(record) || record[i] == "" {
		return nil, nil
	}
	v, err := strconv.ParseFloat(record[i], 64)
	return &v, err
}

// report prints a line for each row and returns how many are bad.
func report(w io.Writer, rows []row, bound float64) (bad int) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		verdict, failed := r.judge(bound)
		if failed {
			bad++
			verdict = strings.ToUpper(verdict[:1]) + verdict[1:]
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.name, r.unit, figure(r.was), figure(r.is), verdict)
	}
	t.Flush()
	return bad
}

func figure(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.3g", *v)
}

// judge says what has become of a ratio, and whether that is a failure.
func (r row) judge(bound float64) (verdict string, failed bool) {
	switch {
	case r.is == nil:
		return "missing: it was stored, and was not measured now", true
	case r.was == nil:
		return "new: not in the stored run, so nothing holds it", false
	case !r.real:
		return "the same, as far as noise lets one see", false
	}
	change := 100 * (*r.is/(*r.was) - 1)
	switch {
	case change > bound:
		return fmt.Sprintf("worse by %.0f %%, more than %.0f %%", change, bound), true
	case change > 0:
		return fmt.Sprintf("worse by %.0f %%", change), false
	}
	return fmt.Sprintf("better by %.0f %%", -change), false
}
