package main

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/history"
	"recsysd.dev/recsysd/internal/reconcile"
	"recsysd.dev/recsysd/internal/spend"
)

// keep takes a pass into a stack's account, and both to disk. What is to be told of the money is told once: it is in the history before the
// account knows that it was told, so that a process that is killed between the two says it again rather than never.
func keep(store *history.Store, account *spend.Account, book *cost.Book, p reconcile.Pass, m reconcile.Memory) (news []string, err error) {
	news = account.Pass(book, p)
	return news, errors.Join(store.Record(p, m, news...), store.SaveAccount(account))
}

// accountOf is what the stack has cost so far. That it could not be read is told, and costs nothing else.
func (r *runner) accountOf(store *history.Store) *spend.Account {
	account, err := store.Account()
	if err != nil {
		r.log.Warn("what was spent is lost", zap.Error(err))
	}
	return account
}

// money is what the stack costs and has cost, at this moment. The runner is locked.
func (r *runner) money() spend.Figures {
	if r.account == nil {
		return spend.Figures{}
	}
	return r.account.At(time.Now())
}

// spent is what the stack has cost by the books of its daemon, if there was one here and they may be read.
func (p *program) spent(c *config.Config, stack string) *spend.Account {
	account, err := history.Spent(c.StateDir, stack)
	if err != nil {
		fmt.Fprintf(p.err, "notice: planning without what was spent so far: %v\n", err)
	}
	return account
}

// overspent is what there is to say of the budget if the stack becomes what pass wants; "" where there is nothing. The books stay as they are.
func (o *once) overspent(book *cost.Book, pass reconcile.Pass) string {
	if o.spent == nil {
		return ""
	}
	o.spent.Pass(book, pass)
	return o.spent.At(pass.End).Notice()
}
