package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxState is more than any state that a person keeps.
const maxState = 64 << 20

// stateVersion is the format of Terraform 0.12 and later, and of OpenTofu.
const stateVersion = 4

// state is a terraform.tfstate, or what `terraform show -json` prints; the keys of either are absent in the other.
type state struct {
	Version   *int            `json:"version"`
	Resources []stateResource `json:"resources"`
	Modules   json.RawMessage `json:"modules"` // format 3 and older
	Encrypted json.RawMessage `json:"encrypted_data"`

	FormatVersion *string         `json:"format_version"`
	Values        *shown          `json:"values"`
	Planned       json.RawMessage `json:"planned_values"`
}

type stateResource struct {
	Module, Mode, Type, Name string
	Instances                []instance
}

type instance struct {
	Key        any             `json:"index_key"`
	Status     string          `json:"status"`
	Deposed    string          `json:"deposed"`
	Attributes map[string]any  `json:"attributes"`
	Sensitive  []sensitivePath `json:"sensitive_attributes"`
}

// sensitivePath leads to a value that must not be shown, as steps from the top.
type sensitivePath []struct {
	Value any `json:"value"`
}

func (p *sensitivePath) UnmarshalJSON(b []byte) error {
	var steps []struct {
		Value any `json:"value"`
	}
	if err := json.Unmarshal(b, &steps); err != nil {
		return err
	}
	*p = steps
	return nil
}

// shown is the values of `terraform show -json`.
type shown struct {
	Root shownModule `json:"root_module"`
}

type shownModule struct {
	Address   string `json:"address"`
	Resources []struct {
		Mode, Type, Name string
		Index            any
		Values           map[string]any
		Sensitive        map[string]any `json:"sensitive_values"`
	} `json:"resources"`
	Children []shownModule `json:"child_modules"`
}

// ReadState reads a state. file stands for it in errors, each of which is one line.
func ReadState(file string, data []byte) (Model, error) {
	fail := func(format string, args ...any) (Model, error) {
		return Model{}, fmt.Errorf("%s: %s", file, fmt.Sprintf(format, args...))
	}
	if len(data) > maxState {
		return fail("larger than %d MiB: not a state", maxState>>20)
	}
	var s state
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&s); err != nil {
		return Model{}, badJSON(file, data, err)
	}
	switch {
	case len(s.Encrypted) > 0:
		return fail("the state is encrypted; write it in plain with tofu state pull, and import that")
	case len(s.Planned) > 0:
		return fail("a plan, not a state; use terraform show -json without a plan file")
	case s.FormatVersion != nil:
		if s.Values == nil {
			return fail("there is nothing in the state")
		}
		m := Model{Source: file}
		m.addShown(file, s.Values.Root, 0)
		return m, nil
	case s.Version == nil:
		return fail("not a Terraform state: it has no version")
	case *s.Version != stateVersion:
		return fail("state format %d, and only %d can be read; terraform state pull of version 0.12 or later writes it", *s.Version, stateVersion)
	}
	m := Model{Source: file}
	for _, r := range s.Resources {
		if r.Mode == "managed" {
			m.addState(file, r)
		}
	}
	return m, nil
}

// badJSON says where a state ends or goes wrong.
func badJSON(file string, data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: the file is empty", file)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the file is cut off after %d bytes", file, len(data))
	case errors.As(err, &syntax):
		at := min(int(syntax.Offset), len(data))
		row := 1 + bytes.Count(data[:at], []byte("\n"))
		column := at - bytes.LastIndexByte(data[:at], '\n')
		return fmt.Errorf("%s:%d:%d: not JSON, so not a state: %s", file, row, max(column-1, 1), line(syntax.Error()))
	case errors.As(err, &kind):
		return fmt.Errorf("%s: not a Terraform state: %s must not be of type %s", file, line(kind.Field), kind.Value)
	}
	return fmt.Errorf("%s: not a Terraform state", file)
}

func (m *Model) addState(file string, r stateResource) {
	for _, i := range r.Instances {
		if i.Deposed != "" {
			continue // the remains of one that was replaced
		}
		res := Resource{Module: r.Module, Type: r.Type, Name: r.Name, Key: instanceKey(i.Key), Place: file, Attributes: i.Attributes, filled: true}
		for _, p := range i.Sensitive {
			if len(p) > 0 {
				res.conceal(fmt.Sprint(p[0].Value))
			}
		}
		if i.Status == "tainted" {
			m.Skipped = append(m.Skipped, fmt.Sprintf("%s: %s: marked as tainted; Terraform would replace it, recsysd keeps it", file, res.Address()))
		}
		m.Resources = append(m.Resources, res)
	}
}

// maxModules is how deep modules may lie in one another.
const maxModules = 100

func (m *Model) addShown(file string, module shownModule, depth int) {
	for _, r := range module.Resources {
		if r.Mode != "managed" {
			continue
		}
		res := Resource{Module: module.Address, Type: r.Type, Name: r.Name, Key: instanceKey(r.Index), Place: file, Attributes: r.Values, filled: true}
		for name, mark := range r.Sensitive {
			if holds(mark) {
				res.conceal(name)
			}
		}
		m.Resources = append(m.Resources, res)
	}
	for _, c := range module.Children {
		if depth < maxModules {
			m.addShown(file, c, depth+1)
		}
	}
}

// holds reports whether a mark of `terraform show` is, or contains, true.
func holds(mark any) bool {
	switch v := mark.(type) {
	case bool:
		return v
	case map[string]any:
		for _, in := range v {
			if holds(in) {
				return true
			}
		}
	case []any:
		for _, in := range v {
			if holds(in) {
				return true
			}
		}
	}
	return false
}

// conceal takes the value of an attribute away.
func (r *Resource) conceal(name string) {
	if v, ok := r.Attributes[name]; ok && v != nil {
		r.Attributes[name] = unknown{place: r.Place, why: "is marked as sensitive, so it is not shown"}
	}
}

func instanceKey(k any) string {
	if k == nil {
		return ""
	}
	return fmt.Sprint(k)
}
