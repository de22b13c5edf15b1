package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"recsysd.dev/recsysd/internal/drivers/gcp/gcptest"
)

// catalogConfig is a configuration that leads to a fake catalog and names a book beside it.
func catalogConfig(t *testing.T, s *gcptest.Server) (config, book string) {
	t.Helper()
	config = file(t, "config.yaml", fmt.Sprintf(`gcp: {insecure: true, endpoints: {billing: %q}}
prices: prices.yaml
stacks: [{name: recsys, project: acme, git: {url: /srv/infra}}]
`, s.Endpoints()["billing"]))
	return config, filepath.Join(filepath.Dir(config), "prices.yaml")
}

func TestPricesRefresh(t *testing.T) {
	s := gcptest.Start(t)
	config, book := catalogConfig(t, s)
	refresh := func(want int, args ...string) (out, errs string) {
		t.Helper()
		code, out, errs := invoke(t, append([]string{"prices", "refresh", "--config", config}, args...)...)
		if code != want {
			t.Fatalf("prices refresh %v: exit status %d, want %d\n%s%s", args, code, want, out, errs)
		}
		return out, errs
	}

	out, _ := refresh(exitDiffers, "--check")
	if !strings.Contains(out, "0.049 -> 0.051") || exists(book) {
		t.Errorf("--check says what differs, and writes nothing:\n%s", out)
	}
	out, _ = refresh(exitWell)
	plain := strings.Join(strings.Fields(out), " ")
	for _, line := range []string{
		"gke.autopilot.general-purpose.regular.vcpu europe-west1 0.049 -> 0.051 vCPU-hour SKU 0000-0000-0019",
		"? -> 0.028", // a figure that the book did not have
		"gcs.storage.standard", "no SKU fits", "no SKU is known for: artifactregistry.scan,", "written to " + book,
	} {
		if !strings.Contains(plain, line) {
			t.Errorf("what is printed lacks %q:\n%s", line, out)
		}
	}
	if out, _ := refresh(exitWell, "--check"); !strings.Contains(out, "0 prices changed") {
		t.Errorf("the new book is the catalog's:\n%s", out)
	}
	_, shown, _ := invoke(t, "prices", "show", "general-purpose.regular.vcpu", "--prices", book)
	if !strings.Contains(shown, "0.051/vCPU-hour") || !strings.Contains(shown, "SKU 0000-0000-0019 20") || !strings.Contains(shown, "Google's Cloud Billing Catalog") {
		t.Errorf("a price says which SKU it is:\n%s", shown)
	}

	out, errs := refresh(exitWell, "--to", "-", "--region", "europe-west2")
	if !strings.HasPrefix(out, "# Written by") || !strings.Contains(out, "region: europe-west2") || !strings.Contains(errs, "changed:") {
		t.Errorf("--to - prints the book, and what changed beside it:\n%s\n%s", out, errs)
	}
	out, _ = refresh(exitWell, "-o", "json", "--check")
	var v struct{ Unchanged int }
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Unchanged < 30 {
		t.Errorf("for programs: %v\n%s", err, out)
	}
}

// A book that cannot be read, a catalog that does not answer, or that has nothing: the file stays to the byte.
func TestARefreshThatFailsChangesNothing(t *testing.T) {
	s := gcptest.Start(t)
	config, book := catalogConfig(t, s)
	const own = "schema: 1\ncurrency: USD\ncompiled: \"2026-12-01\"\nprices: []\n"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(book, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	fails := func(what, said string, args ...string) {
		t.Helper()
		before := read(t, book)
		code, out, errs := invoke(t, append([]string{"prices", "refresh", "--config", config}, args...)...)
		if code != exitError || out != "" || !strings.Contains(errs, said) {
			t.Errorf("%s: exit status %d\n%s%s", what, code, out, errs)
		}
		if read(t, book) != before {
			t.Errorf("%s: the file changed", what)
		}
	}
	write(strings.Replace(own, "USD", "EUR", 1))
	fails("a book of one's own with a mistake", `prices.yaml:2:11: currency: "EUR"`)
	write(own)
	s.Forbid("billing")
	fails("no right", "cloudbilling.services.skus.list: PermissionDenied")
	if code, _, _ := invoke(t, "prices", "refresh", "--config", config, "--check"); code != exitError {
		t.Errorf("an error is not a difference: exit status %d", code)
	}
	s.Heal()
	for service := range gcptest.Catalog() {
		s.Sell(service, nil)
	}
	fails("a catalog without anything", "the catalog has none of the book's prices")
	for service, skus := range gcptest.Catalog() {
		s.Sell(service, skus)
	}
	s.RequireAPIKey("AIza-right")
	fails("a wrong key", "API key not valid", "--api-key-file", file(t, "key", "AIza-wrong\n"))
	fails("a file that is no key", "does not hold one key", "--api-key-file", file(t, "key", "AIza right\n"))
	key := file(t, "key", "AIza-right\n")
	if code, _, errs := invoke(t, "prices", "refresh", "--config", config, "--api-key-file", key); code != exitWell {
		t.Fatalf("the right one: %s", errs)
	}
	if info, err := os.Stat(book); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the file keeps its mode: %v %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(book), ".*")); err != nil || len(left) > 0 {
		t.Errorf("nothing is left beside it: %v", left)
	}
	code, _, errs := invoke(t, "prices", "refresh", "--config", file(t, "config.yaml", minimalConfig))
	if code != exitError || !strings.Contains(errs, "it is not known where the book goes") {
		t.Errorf("a place to write to is needed: %s", errs)
	}
}

const minimalConfig = "stacks: [{name: recsys, project: acme, git: {url: /srv/infra}}]\n"
