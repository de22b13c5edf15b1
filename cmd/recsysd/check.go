package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/gitsource"
)

func (p *program) checkCommand() *cobra.Command {
	var environment, ageKeyFile, prices string
	c := &cobra.Command{
		Use: "check FILE", Short: "Validate a stack file, offline", Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			stack, err := loadFile(c.Context(), args[0], desired.Options{Environment: environment, Keys: keyFile(ageKeyFile)})
			if err != nil {
				return err
			}
			for _, n := range stack.Notices {
				fmt.Fprintf(p.out, "notice: %s\n", n)
			}
			book, err := priceBook(prices)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.out, "%s%s: stack %s is well, %d resources\n", budgetLine(stack, book), args[0], stack.Name, len(stack.Resources))
			return err
		},
	}
	c.Flags().StringVar(&environment, "environment", "", "lay environments/NAME.yaml over it")
	c.Flags().StringVar(&ageKeyFile, "age-key", "", "open encrypted files with this key file, to judge what is in them")
	pricesFlag(c, &prices)
	return c
}

// loadFile reads a stack file from this machine without any configuration: project and name are what it says.
func loadFile(ctx context.Context, file string, o desired.Options) (*desired.Stack, error) {
	source, err := gitsource.NewFile(file)
	if err != nil {
		return nil, err
	}
	r, err := source.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	o.Offline, o.Now = true, time.Now()
	stack, err := desired.Load(r.Tree, source.Name(), o)
	if err != nil {
		return nil, err
	}
	for _, other := range desired.Neighbours(r.Tree, source.Name(), o) {
		for _, same := range []string{desired.Namesakes(stack, other), desired.Sameness(stack, other)} {
			if same != "" && !slices.Contains(stack.Notices, same) {
				stack.Notices = append(stack.Notices, same)
			}
		}
	}
	return stack, nil
}

// loadAt reads a stack file as it was in a revision of the repository that it lies in.
func loadAt(ctx context.Context, file, revision string, o desired.Options) (stack *desired.Stack, err error) {
	source, err := gitsource.NewFile(file)
	if err != nil {
		return nil, err
	}
	r, closeTree, err := source.At(ctx, revision)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeTree()) }()
	o.Offline, o.Now = true, time.Now()
	if stack, err = desired.Load(r.Tree, source.Name(), o); err != nil {
		return nil, fmt.Errorf("at %s: %w", revision, err)
	}
	return stack, nil
}

func (p *program) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the stack file, for editors", Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.out, "%s\n", desired.Schema())
			return err
		},
	}
}
