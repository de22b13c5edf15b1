// Package pricelist reads Google's own list of prices, the Cloud Billing Catalog, and makes a price book of it that is laid over the
// embedded one. What prices are used for is not its business, and it writes no file: it gives the text of one that the strict loader takes.
package pricelist

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/api/cloudbilling/v1"
	"google.golang.org/grpc/codes"

	"recsysd.dev/recsysd/internal/cost"
	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// SKU is what the catalog says of one thing that is sold: as much of it as prices need.
type SKU struct {
	ID, Service, Description string
	Usage, Group             string
	Regions                  []string
	Unit                     string
	Daily                    bool   // the steps are of a day's usage, not of a month's
	Currency                 string // of its rates; "" where they are not all of one
	Rates                    []Rate // by Start
}

// Rate is a step of a price, as the catalog has it.
type Rate struct {
	Start          float64 // in units; the API has no other form of it
	Dollars, Nanos int64
}

const (
	pageSize = 2000 // of the catalog's at most 5000: an answer has to come within the time of a read
	attempts = 3    // at a page
	pause    = 500 * time.Millisecond
)

// Read lists the SKUs that prices of the book may be found in. c may have an API key, or be who is asked as.
func Read(ctx context.Context, c gcp.Config) ([]SKU, error) {
	opts, err := c.HTTP(ctx, gcp.Billing)
	if err != nil {
		return nil, err
	}
	client, err := cloudbilling.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("cloud billing client: %w", err)
	}
	table := patterns()
	var services []string
	for _, p := range table {
		if !slices.Contains(services, p.service) {
			services = append(services, p.service)
		}
	}
	var all []SKU
	for _, service := range services {
		for token := ""; ; {
			page, err := listed(ctx, client, service, token)
			if err != nil {
				return nil, err
			}
			for _, raw := range page.Skus {
				s := skuOf(service, raw)
				if slices.ContainsFunc(table, func(p pattern) bool { return p.takes(&s) }) {
					all = append(all, s)
				}
			}
			if token = page.NextPageToken; token == "" {
				break
			}
		}
	}
	return all, nil
}

// listed is one page; what goes wrong for a moment is tried again.
func listed(ctx context.Context, client *cloudbilling.APIService, service, token string) (*cloudbilling.ListSkusResponse, error) {
	for try := 1; ; try++ {
		page, err := client.Services.Skus.List("services/" + service).CurrencyCode(cost.Currency).PageSize(pageSize).PageToken(token).Context(ctx).Do()
		if err == nil {
			return page, nil
		}
		err = gcp.Explain("cloudbilling.services.skus.list", err)
		switch code := gcp.Code(err); {
		case code == codes.PermissionDenied || code == codes.Unauthenticated:
			return nil, fmt.Errorf("%w; the catalog needs no role, but credentials of a project in which cloudbilling.googleapis.com is enabled, or --api-key-file", err)
		case code == codes.Unknown: // no answer of Google's: there is no network, or nothing to ask with
			return nil, fmt.Errorf("the Cloud Billing Catalog could not be asked: %w; it takes a network, and default credentials or --api-key-file", err)
		case try == attempts || code != codes.Unavailable && code != codes.Internal && code != codes.ResourceExhausted && code != codes.DeadlineExceeded:
			return nil, err
		}
		select {
		case <-time.After(time.Duration(try) * pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// skuOf takes the newest price of a SKU: the last of its timeline.
func skuOf(service string, raw *cloudbilling.Sku) SKU {
	s := SKU{ID: raw.SkuId, Service: service, Description: strings.TrimSpace(raw.Description), Regions: raw.ServiceRegions}
	if raw.Category != nil {
		s.Usage, s.Group = raw.Category.UsageType, raw.Category.ResourceGroup
	}
	if raw.GeoTaxonomy != nil {
		s.Regions = slices.Concat(s.Regions, raw.GeoTaxonomy.Regions)
	}
	if len(raw.PricingInfo) == 0 {
		return s
	}
	newest := raw.PricingInfo[len(raw.PricingInfo)-1]
	s.Daily = newest.AggregationInfo != nil && newest.AggregationInfo.AggregationInterval == "DAILY"
	if newest.PricingExpression == nil {
		return s
	}
	s.Unit = newest.PricingExpression.UsageUnit
	for i, r := range newest.PricingExpression.TieredRates {
		if r.UnitPrice == nil {
			return SKU{ID: s.ID, Service: s.Service, Description: s.Description, Usage: s.Usage, Group: s.Group, Regions: s.Regions, Unit: s.Unit}
		}
		if i == 0 {
			s.Currency = r.UnitPrice.CurrencyCode
		} else if s.Currency != r.UnitPrice.CurrencyCode {
			s.Currency = ""
		}
		s.Rates = append(s.Rates, Rate{r.StartUsageAmount, r.UnitPrice.Units, r.UnitPrice.Nanos})
	}
	return s
}
