package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/terraform"
)

func (p *program) importCommand() *cobra.Command {
	i := terraformImport{}
	c := &cobra.Command{
		Use: "import FILE...", Short: "Print the stack file for what a Terraform state or configuration holds", Args: arguments(1, 1000),
		Long: `Print the stack file for what a Terraform state or configuration holds. Nothing is changed and nothing is asked of Google or Terraform.

FILE is a state (terraform.tfstate, or what terraform show -json prints), a .tf file, or a folder of them. Of a .tf file's folder the
variables, locals, terraform.tfvars and *.auto.tfvars are read too. Every entry has adopt: true, so that the stack takes over what exists;
what Terraform does not say is left out, and so left alone. What cannot be taken over is told on standard error and in comments.`,
	}
	c.Flags().StringVar(&i.identity.Name, "name", "", "name of the stack (default: what follows the project in the name of the only registry)")
	c.Flags().StringVar(&i.identity.Project, "project", "", "project of the stack (default: the provider's or the resources')")
	c.Flags().StringVar(&i.identity.Region, "region", "", "region of the stack (default: the provider's or the resources')")
	c.Flags().StringArrayVar(&i.vars, "var", nil, "NAME=VALUE of a Terraform variable; may be repeated")
	c.Flags().StringArrayVar(&i.varFiles, "var-file", nil, "a .tfvars file; may be repeated")
	c.RunE = func(_ *cobra.Command, args []string) error {
		stack, err := i.read(args)
		if err != nil {
			return err
		}
		for _, n := range stack.Notices {
			fmt.Fprintf(p.err, "notice: %s\n", n)
		}
		if _, err := fmt.Fprint(p.out, stack.Text); err != nil {
			return err
		}
		if err := valid(stack.Text); err != nil {
			return fmt.Errorf("%w\nwhat was printed is not a valid stack yet: see above", err)
		}
		return nil
	}
	return c
}

// valid is what check says of a stack file that is not written yet.
func valid(text string) error {
	const name = "stack.yaml"
	_, err := desired.Load(desired.Alone(name, text), name, desired.Options{Offline: true, Now: time.Now()})
	return err
}

// terraformImport is what the import command was asked.
type terraformImport struct {
	identity       terraform.Identity
	vars, varFiles []string
}

// read makes the stack file of all that args name. States come one by one, configurations by their folder.
func (i terraformImport) read(args []string) (terraform.Stack, error) {
	var models []terraform.Model
	folders := map[string][]string{} // the files that are wanted of each
	var order []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return terraform.Stack{}, err
		}
		folder := filepath.Dir(arg)
		switch {
		case info.IsDir():
			folder = arg
			if err := wantAll(folders, folder); err != nil {
				return terraform.Stack{}, err
			}
		case strings.HasSuffix(arg, ".tf") || strings.HasSuffix(arg, ".tf.json"):
			folders[folder] = append(folders[folder], filepath.Join(folder, filepath.Base(arg)))
		default:
			m, err := readState(arg)
			if err != nil {
				return terraform.Stack{}, err
			}
			models = append(models, m)
			continue
		}
		if !slices.Contains(order, folder) {
			order = append(order, folder)
		}
	}
	for _, folder := range order {
		m, err := i.readFolder(folder, folders[folder])
		if err != nil {
			return terraform.Stack{}, err
		}
		models = append(models, m)
	}
	if len(order) == 0 && len(i.vars)+len(i.varFiles) > 0 {
		return terraform.Stack{}, errors.New("--var and --var-file are of no use with a state, which holds values")
	}
	return terraform.Convert(terraform.Merge(models...), i.identity)
}

// wantAll wants every .tf file of a folder.
func wantAll(folders map[string][]string, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: there is no .tf file in it", folder)
	}
	folders[folder] = append(folders[folder], files...)
	return err
}

func readState(file string) (terraform.Model, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return terraform.Model{}, err
	}
	return terraform.ReadState(file, data)
}

// readFolder reads the whole of a configuration's folder, as Terraform does; of the files in only come the resources.
func (i terraformImport) readFolder(folder string, only []string) (terraform.Model, error) {
	o := terraform.Options{Only: only, Given: map[string]string{}}
	for _, v := range i.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return terraform.Model{}, fmt.Errorf("--var %s: NAME=VALUE is meant", name)
		}
		o.Given[name] = value
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	if err != nil {
		return terraform.Model{}, err
	}
	sources, err := readAll(slices.Compact(slices.Sorted(slices.Values(slices.Concat(files, only)))))
	if err != nil {
		return terraform.Model{}, err
	}
	valued, err := filepath.Glob(filepath.Join(folder, "*.auto.tfvars"))
	if err != nil {
		return terraform.Model{}, err
	}
	if usual := filepath.Join(folder, "terraform.tfvars"); exists(usual) {
		valued = append([]string{usual}, valued...)
	}
	if o.Values, err = readAll(append(valued, i.varFiles...)); err != nil {
		return terraform.Model{}, err
	}
	return terraform.ReadConfig(sources, o)
}

func readAll(files []string) ([]terraform.Source, error) {
	var sources []terraform.Source
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		sources = append(sources, terraform.Source{Name: f, Data: data})
	}
	return sources, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
