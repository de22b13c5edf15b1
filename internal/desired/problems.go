package desired

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// place is where something stands in the files of a stack. The zero line is the whole file, reported as its beginning.
type place struct {
	file         string
	line, column int
}

func (p place) String() string {
	return fmt.Sprintf("%s:%d:%d", p.file, max(p.line, 1), max(p.column, 1))
}

// problem is one mistake. It prints as one line: file:line:column: path: what is wrong; hint.
type problem struct {
	at         place
	path, what string
}

func (p problem) Error() string {
	if p.path == "" {
		return fmt.Sprintf("%s: %s", p.at, p.what)
	}
	return fmt.Sprintf("%s: %s: %s", p.at, p.path, p.what)
}

// maxProblems keeps the answer to a hopeless file readable.
const maxProblems = 50

// problems collects mistakes, so that one run reports them all.
type problems struct {
	files    []string // in the order they were read, which is the order of the report
	list     []problem
	said     map[said]bool
	unusable map[place]bool // what could not be read at all
}

// said is a path, or what was wrong, at a place.
type said struct {
	at   place
	text string
	what bool
}

// add reports a mistake. A second one at the same place that has the same path, or says the same, is a consequence of the first
// and is dropped.
func (p *problems) add(at place, path, format string, args ...any) {
	what := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ") // one line each, whatever a value holds
	samePath, sameWhat := said{at, path, false}, said{at, what, true}
	if p.said[samePath] || p.said[sameWhat] {
		return
	}
	if p.said == nil {
		p.said = map[said]bool{}
	}
	p.said[samePath], p.said[sameWhat] = true, true
	if !slices.Contains(p.files, at.file) {
		p.files = append(p.files, at.file)
	}
	p.list = append(p.list, problem{at, path, what})
}

// unreadable is add for a value that stays empty because of the mistake. That it is missing is then no news.
func (p *problems) unreadable(at place, path, format string, args ...any) {
	p.add(at, path, format, args...)
	p.spoil(at)
}

// spoil notes that what stands at a place cannot be judged any further.
func (p *problems) spoil(at place) {
	if p.unusable == nil {
		p.unusable = map[place]bool{}
	}
	p.unusable[at] = true
}

// has reports whether anything is wrong with path.
func (p *problems) has(path string) bool {
	return slices.ContainsFunc(p.list, func(q problem) bool { return q.path == path })
}

func (p *problems) any() bool { return len(p.list) > 0 }

// err is all mistakes joined, in the order of the files; nil if there are none.
func (p *problems) err() error {
	slices.SortStableFunc(p.list, func(a, b problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(p.files, a.at.file), slices.Index(p.files, b.at.file)),
			cmp.Compare(a.at.line, b.at.line), cmp.Compare(a.at.column, b.at.column),
			cmp.Compare(a.path, b.path))
	})
	var errs []error
	for i, q := range p.list {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%s: and %d more", q.at, len(p.list)-i))
			break
		}
		errs = append(errs, q)
	}
	return errors.Join(errs...)
}

var pathStep = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\[[0-9]+\])*(\.[A-Za-z][A-Za-z0-9]*(\[[0-9]+\])*)*$`)

// addValidation reports what a spec's Validate found. Each of its joined errors begins with the field it is about, as in
// "lifecycle[0]: ageDays: out of range"; that is made a path below base, and its place looked up. Nothing is said about what could not
// be read.
func (p *problems) addValidation(err error, base string, places map[string]place) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			p.addValidation(e, base, places)
		}
		return
	}
	path, rest := base, err.Error()
	at := places[base]
	for {
		step, after, ok := strings.Cut(rest, ": ")
		if !ok {
			break
		}
		below := joined(path, step)
		place, known := places[below]
		if !known && !pathStep.MatchString(step) {
			break
		}
		path, rest = below, after
		if known {
			at = place
		}
	}
	if p.unusable[at] && path != base {
		return
	}
	p.add(at, path, "%s", rest)
}

// suggest is a hint naming what was probably meant, or "".
func suggest(have string, known []string) string {
	best, bestDistance := "", 3
	for _, k := range slices.Sorted(slices.Values(known)) {
		d := distance(strings.ToLower(have), strings.ToLower(k))
		if d < bestDistance && d < max(len(k), len(have))/2+1 {
			best, bestDistance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between a and b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			differ := 1
			if a[i-1] == b[j-1] {
				differ = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differ)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
