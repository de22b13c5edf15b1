package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/resource"
	"recsysd.dev/recsysd/internal/view"
)

func (p *program) costCommand() *cobra.Command {
	var environment, prices, against, againstEnvironment string
	c := &cobra.Command{
		Use: "cost FILE", Short: "Price a stack file, offline", Args: arguments(1, 1),
		Long: `Price a stack file, offline: what it comes to by Google's list prices in a month of 730 hours, per resource and for each thing that is billed,
with the price that was used, its source and its date.

What has no price is listed and is not in the total; it is never counted as nothing. Stored bytes are what estimate says. Traffic, operations
and taxes are not in it: docs/cost.md says how each figure is made and how to check it.`,
	}
	p.formatFlag(c)
	c.Flags().StringVar(&environment, "environment", "", "lay environments/NAME.yaml over it")
	c.Flags().StringVar(&against, "against", "", "show what is another price than in this revision of the file's repository, such as main or HEAD~1")
	c.Flags().StringVar(&againstEnvironment, "against-environment", "", "show what is another price than in this environment; with --against, in that of the revision")
	pricesFlag(c, &prices)
	c.RunE = func(c *cobra.Command, args []string) error {
		book, err := priceBook(prices)
		if err != nil {
			return err
		}
		stack, err := loadFile(c.Context(), args[0], desired.Options{Environment: environment})
		if err != nil {
			return err
		}
		after := pricedStack(stack, book)
		if against == "" && !c.Flags().Changed("against-environment") {
			v := view.CostOf(after)
			return p.show(v, func(paint view.Paint) error { return v.Text(p.out, paint) })
		}
		if !c.Flags().Changed("against-environment") {
			againstEnvironment = environment
		}
		before, err := loadAgainst(c.Context(), args[0], against, desired.Options{Environment: againstEnvironment})
		if err != nil {
			return err
		}
		name := strings.Trim(against+", "+againstEnvironment, ", ")
		v := view.CostChangeOf(pricedStack(before, book), after, name)
		return p.show(v, func(paint view.Paint) error { return v.Text(p.out, paint) })
	}
	return c
}

// loadAgainst reads the file as it is in a revision; as it lies there, where none is named.
func loadAgainst(ctx context.Context, file, revision string, o desired.Options) (*desired.Stack, error) {
	if revision == "" {
		return loadFile(ctx, file, o)
	}
	return loadAt(ctx, file, revision, o)
}

// pricedStack is a stack about to be shown with its prices.
func pricedStack(s *desired.Stack, book *cost.Book) view.Priced {
	bills, foreign := cost.BillsOf(s.Resources)
	entries := make(map[resource.Ref]string, len(s.Resources))
	for _, r := range s.Resources {
		entries[r.Ref] = r.Entry
	}
	return view.Priced{
		Stack: s.Name, Region: s.Region, Book: book, Bills: bills, Foreign: foreign, Entries: entries,
		Options: cost.Options{FreeTierCredit: s.Cost.FreeTierCredit}, Budget: s.Budget,
	}
}

func (p *program) pricesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "prices", Short: "The price book", Args: known,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.pricesShowCommand(), p.pricesRefreshCommand())
	return c
}

func (p *program) pricesShowCommand() *cobra.Command {
	var prices string
	c := &cobra.Command{
		Use: "show [FILTER]", Short: "Print the prices whose key or region has FILTER in it, with their sources", Args: arguments(0, 1),
	}
	p.formatFlag(c)
	pricesFlag(c, &prices)
	c.RunE = func(_ *cobra.Command, args []string) error {
		book, err := priceBook(prices)
		if err != nil {
			return err
		}
		filter := ""
		if len(args) > 0 {
			filter = args[0]
		}
		v := view.PricesOf(book, filter)
		if len(v.Prices) == 0 {
			return fmt.Errorf("the %s has no key or region with %q in it", book.Name, filter)
		}
		return p.show(v, func(paint view.Paint) error { return v.Text(p.out, paint) })
	}
	return c
}

func pricesFlag(c *cobra.Command, to *string) {
	c.Flags().StringVar(to, "prices", "", "a price book that is laid over the embedded one")
}

// priceBook is the embedded book with that of a file laid over it, where one is named.
func priceBook(file string) (*cost.Book, error) {
	book, err := cost.Embedded()
	if err != nil || file == "" {
		return book, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("price book: %w", err)
	}
	return cost.Parse(filepath.Base(file), data, book)
}
