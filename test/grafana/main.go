// Command grafana checks a dashboard's JSON against the schema that Grafana publishes as Go types: a key that it does not know, or a
// value of another type, is an error. It is a module of its own, so that the program's has no part in those types.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: grafana FILE")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(file string) error {
	runtime := cog.NewRuntime()
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	runtime.RegisterPanelcfgVariant(stat.VariantConfig())
	runtime.RegisterPanelcfgVariant(table.VariantConfig())
	runtime.RegisterPanelcfgVariant(timeseries.VariantConfig())
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var d dashboard.Dashboard
	if err := real(d.UnmarshalJSONStrict(b)); err != nil {
		return err
	}
	return errors.Join(d.Validate(), fieldConfigs(b))
}

// fieldConfigs checks what the schema's own check of a panel passes over.
func fieldConfigs(b []byte) error {
	var d struct {
		Panels []struct{ FieldConfig json.RawMessage }
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	for i, p := range d.Panels {
		if p.FieldConfig == nil {
			continue
		}
		if err := real(new(dashboard.FieldConfigSource).UnmarshalJSONStrict(p.FieldConfig)); err != nil {
			return fmt.Errorf("panels[%d].fieldConfig: %w", i, err)
		}
	}
	return nil
}

// real is the error, if there is one: the generated code returns an empty list where there is none.
func real(err error) error {
	if all := (cog.BuildErrors)(nil); errors.As(err, &all) && len(all) == 0 {
		return nil
	}
	return err
}
