package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/resource"
)

// A purse judges one engine's stacks by their budgets, at the prices in force when it is asked. What it has reckoned it keeps for as long
// as nothing has changed, which is for most passes.
type purse struct {
	book func() (*cost.Book, error)

	said [2]struct { // of a stack alone, and against one before
		of      reckoned
		verdict reconcile.Verdict
	}
}

// reckoned is what a verdict was made from. A stack that was read again has other resources.
type reckoned struct {
	book        *cost.Book
	now, before *resource.Resource // the first of each
	budget      *resource.Budget
	credit      bool
}

// afford implements reconcile.Afford.
func (p *purse) afford(now reconcile.Stack, before *reconcile.Stack) reconcile.Verdict {
	if now.Budget == nil {
		return reconcile.Verdict{}
	}
	book, err := p.book()
	if err == nil && book == nil {
		err = errors.New("there is no price book")
	}
	if err != nil { // unknown is not little
		return reconcile.Verdict{Over: fmt.Sprintf("whether it passes the budget is not known: %v", err), Hold: now.Budget.Hold}
	}
	of, slot := reckoned{book: book, now: &now.Resources[0], budget: now.Budget, credit: now.Credit}, &p.said[0]
	if before != nil {
		of.before, slot = &before.Resources[0], &p.said[1]
	}
	if slot.of != of {
		slot.of, slot.verdict = of, judge(book, now, before)
	}
	return slot.verdict
}

// judge compares what a stack comes to in a full month, as it is expected to run, with its budget. The stack before it is reckoned with
// what the newer one says of the billing account: to be told that a credit is spent elsewhere costs nothing.
func judge(book *cost.Book, now reconcile.Stack, before *reconcile.Stack) reconcile.Verdict {
	of := func(wanted []resource.Resource) *cost.Report {
		bills, _ := cost.BillsOf(wanted)
		return cost.Of(book, bills, cost.Expected, cost.Options{FreeTierCredit: now.Credit})
	}
	report := of(now.Resources)
	left := report.Against(now.Budget)
	switch {
	case !left.Over():
		return reconcile.Verdict{}
	case !now.Budget.Hold:
		return reconcile.Verdict{Over: left.String()}
	case before == nil:
		return reconcile.Verdict{Over: report.Withheld(now.Budget, nil), Hold: true}
	}
	was := of(before.Resources)
	if report.Month.Compare(was.Month) <= 0 {
		return reconcile.Verdict{Over: left.String() + "; it adds nothing to what was wanted before, so it is not held"}
	}
	return reconcile.Verdict{Over: report.Withheld(now.Budget, was), Hold: true}
}

// budgetLine is what a stack file leaves of its budget, as a line: a warning with its place if that is less than nothing.
func budgetLine(s *desired.Stack, book *cost.Book) string {
	if s.Budget == nil {
		return ""
	}
	bills, _ := cost.BillsOf(s.Resources)
	left := cost.Of(book, bills, cost.Expected, cost.Options{FreeTierCredit: s.Cost.FreeTierCredit}).Against(s.Budget)
	word, held := "budget", ""
	if left.Over() {
		word = "warning"
		if s.Budget.Hold {
			held = "; onExceed: hold holds a commit that adds to what is wanted before it"
		}
	}
	return fmt.Sprintf("%s: %s: budget.monthly: %s%s\n", word, s.Budget.Pos, left, held)
}

// wanted is a stack as the engine takes it.
func wanted(s *desired.Stack) reconcile.Stack {
	return reconcile.Stack{Resources: s.Resources, Observe: s.Observe, Until: s.Until, Credit: s.Cost.FreeTierCredit, Budget: s.Budget}
}

// keptInGit is the stack that was let through last, for a command that takes a file in place of Git's.
func (o *once) keptInGit(ctx context.Context, now time.Time) (from reconcile.Revision, stack reconcile.Stack, ok bool, err error) {
	if o.git == nil {
		return reconcile.Revision{}, reconcile.Stack{}, false, nil
	}
	kept, ok, err := o.git.Kept(ctx)
	if err != nil || !ok {
		return reconcile.Revision{}, reconcile.Stack{}, false, err
	}
	read, err := o.readGit(ctx, kept.Tree, now)
	if err != nil {
		return reconcile.Revision{}, reconcile.Stack{}, false, err
	}
	return kept, wanted(read), true, nil
}
