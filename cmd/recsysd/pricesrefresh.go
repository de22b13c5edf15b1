package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/drivers/gcp"
	"recsysd.dev/recsysd/internal/pricelist"
	"recsysd.dev/recsysd/internal/view"
)

// refreshing is what the flags of prices refresh say.
type refreshing struct {
	to      string // file; "-": standard output
	key     string // file with an API key
	regions []string
	check   bool
}

// toStdout is what stands for standard output in place of a file.
const toStdout = "-"

func (p *program) pricesRefreshCommand() *cobra.Command {
	var r refreshing
	c := &cobra.Command{
		Use: "refresh", Short: "Read Google's Cloud Billing Catalog and write a new price book", Args: arguments(0, 0),
		Long: `Read Google's Cloud Billing Catalog and write a new price book: the file that the configuration names as prices, or --to FILE, which it makes
where there is none and which lies over the embedded book. What changed is printed, and what the catalog did not say: such a price stays as
it was, of the date that it has. So do prices of your own in the file; to have one refreshed, take it out. A running daemon takes the new
book up at its next reload.

The catalog needs no role: an API key, or any credentials of a project in which cloudbilling.googleapis.com is enabled. Endpoints and the
access token's file are taken from the configuration, if there is one.

With --check nothing is written, and the exit status is as plan's: 0 all prices are the catalog's, 1 some differ, 2 an error.`,
	}
	c.Flags().StringVar(&p.configFile, "config", defaultConfig, "the daemon's configuration; none is needed with --to")
	p.formatFlag(c)
	c.Flags().StringVar(&r.to, "to", "", "write the book to this file; - prints it")
	c.Flags().StringVar(&r.key, "api-key-file", "", "a file that holds an API key, in place of the default credentials")
	c.Flags().StringSliceVar(&r.regions, "region", nil, "add the prices of a region that the book lacks, such as europe-west4; may be repeated")
	c.Flags().BoolVar(&r.check, "check", false, "write nothing; exit status 1 if a price differs from the catalog's")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return p.refresh(c.Context(), r, c.Flags().Changed("config"))
	}
	return c
}

func (p *program) refresh(ctx context.Context, r refreshing, named bool) error {
	c, from, file, err := r.target(p.configFile, named)
	if err != nil {
		return err
	}
	fresh, text, err := r.made(ctx, c, from)
	if err != nil {
		return err
	}
	written, out := "", p.out
	switch {
	case r.check:
	case file == toStdout:
		if _, err := p.out.Write(text); err != nil {
			return err
		}
		out = p.err
	default:
		if err := replaceFile(file, text); err != nil {
			return err
		}
		written = file
	}
	if err := showRefreshed(out, p.format, fresh.View(written)); err != nil {
		return err
	}
	if r.check && len(fresh.Changed) > 0 {
		return errDiffers
	}
	return nil
}

// made is a book made anew, and its text, which the strict loader takes.
func (r refreshing) made(ctx context.Context, c gcp.Config, from string) (*pricelist.Refreshed, []byte, error) {
	base, err := cost.Embedded()
	if err != nil {
		return nil, nil, err
	}
	book := base
	if from != "" {
		data, err := os.ReadFile(from)
		if err == nil {
			book, err = cost.Parse(filepath.Base(from), data, base)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w\nthe price book %s is left as it is; mend it first", err, from)
		}
	}
	skus, err := pricelist.Read(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	fresh := pricelist.Refresh(base, book, skus, r.regions, time.Now())
	if fresh.Found() == 0 {
		return nil, nil, errors.New("the catalog has none of the book's prices; nothing is written")
	}
	text := fresh.Book()
	if _, err := cost.Parse("new price book", text, base); err != nil {
		return nil, nil, fmt.Errorf("what was made of the catalog is no price book; nothing is written:\n%w", err)
	}
	return fresh, text, nil
}

func showRefreshed(out io.Writer, format string, v pricelist.View) error {
	if format == "json" {
		return view.JSON(out, v)
	}
	return v.Text(out)
}

// target is how the catalog is reached, which book is made anew ("" is the embedded one) and where the new one goes. The configuration may be
// missing where nobody named it.
func (r refreshing) target(conf string, named bool) (g gcp.Config, from, to string, err error) {
	g.UserAgent, g.Limits = "recsysd/"+version, gcp.NewLimits()
	to = r.to
	if named || exists(conf) {
		c, err := config.Load(conf)
		if err != nil {
			return g, "", "", err
		}
		g.Endpoints, g.Insecure, g.AccessTokenFile = c.GCP.Endpoints.Map(), c.GCP.Insecure, c.GCP.AccessTokenFile
		to = cmp.Or(to, c.Prices)
		if c.Prices != "" && exists(c.Prices) {
			from = c.Prices
		}
	}
	if to != toStdout && exists(to) {
		from = to
	}
	if to == "" && !r.check {
		return g, "", "", errors.New("it is not known where the book goes: prices in the configuration says it, or --to FILE; --to - prints it")
	}
	g.APIKey, err = r.apiKey()
	return g, from, to, err
}

// apiKey reads the file that has one; "" where there is none. No error has a part of it.
func (r refreshing) apiKey() (string, error) {
	if r.key == "" {
		return "", nil
	}
	data, err := os.ReadFile(r.key)
	if err != nil {
		return "", fmt.Errorf("API key: %w", err)
	}
	key := strings.TrimSpace(string(data))
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return "", fmt.Errorf("API key: %s does not hold one key and nothing else", r.key)
	}
	return key, nil
}

// replaceFile puts data in place of a file as a whole or not at all. A link is followed, and the file's mode is kept.
func replaceFile(file string, data []byte) error {
	if target, err := filepath.EvalSymlinks(file); err == nil {
		file = target
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("price book: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("price book: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
