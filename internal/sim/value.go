package sim

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"recsysd.dev/recsysd/internal/resource"
)

// clone copies v and all that its exported fields lead to, so that nobody holds the cloud's own copy. It does not go through
// JSON, which is for hashes and may leave out what is secret.
func clone[T any](v T) T { return copied(reflect.ValueOf(&v).Elem()).Interface().(T) }

func copied(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			break
		}
		if v.Kind() == reflect.Interface {
			c.Set(copied(v.Elem()))
			break
		}
		c.Set(reflect.New(v.Type().Elem()))
		c.Elem().Set(copied(v.Elem()))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && !flat(v.Field(i).Kind()) {
				c.Field(i).Set(copied(v.Field(i)))
			}
		}
	case reflect.Slice:
		if !v.IsNil() {
			c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				c.Index(i).Set(copied(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			c.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for k, e := range v.Seq2() {
				c.SetMapIndex(k, copied(e))
			}
		}
	}
	return c
}

// flat values are copied by assignment.
func flat(k reflect.Kind) bool { return k <= reflect.Complex128 || k == reflect.String }

// merge lays want over have as a provider does with what is declared: settings and maps key by key, everything else as a whole;
// what is nil in want stays.
func merge[S resource.Spec[S]](want, have S) S {
	merged := clone(have)
	fields(reflect.ValueOf(&merged).Elem(), reflect.ValueOf(&want).Elem(), reflect.ValueOf(&have).Elem())
	if len(want.Diff(merged)) > 0 {
		return clone(want) // a map of it is one value
	}
	return merged
}

func overlay(want, have reflect.Value) reflect.Value {
	merged := copied(have)
	switch want.Kind() {
	case reflect.Interface:
		if !want.IsNil() && !have.IsNil() && want.Elem().Type() == have.Elem().Type() {
			merged.Set(overlay(want.Elem(), have.Elem()))
			return merged
		}
	case reflect.Struct:
		if opaque(want.Type()) {
			break
		}
		fields(merged, want, have)
		return merged
	case reflect.Map:
		if have.IsNil() {
			break
		}
		for k, w := range want.Seq2() {
			if h := have.MapIndex(k); h.IsValid() {
				w = overlay(w, h)
			}
			merged.SetMapIndex(k, copied(w))
		}
		return merged
	}
	if nilable(want.Kind()) && want.IsNil() {
		return merged
	}
	return copied(want)
}

func fields(merged, want, have reflect.Value) {
	for i := range want.NumField() {
		if want.Type().Field(i).IsExported() {
			merged.Field(i).Set(overlay(want.Field(i), have.Field(i)))
		}
	}
}

// opaque structs, such as time.Time, are one value.
func opaque(t reflect.Type) bool {
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

func nilable(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Interface || k == reflect.Map || k == reflect.Slice
}

// mark writes single fields, which Diff calls as Go does but for the case, and leaves the rest of have.
func mark[S resource.Spec[S]](want, have S, fields []string) (S, error) {
	marked := clone(have)
	to, from := reflect.ValueOf(&marked).Elem(), reflect.ValueOf(&want).Elem()
	for _, name := range fields {
		same := func(s string) bool { return strings.EqualFold(s, name) }
		f, ok := to.Type().FieldByNameFunc(same)
		if !ok {
			return have, fmt.Errorf("%T has no field %s that could be written alone", want, name)
		}
		to.FieldByIndex(f.Index).Set(copied(from.FieldByIndex(f.Index)))
	}
	for _, d := range want.Diff(marked) {
		if slices.Contains(fields, d.Field) {
			return have, fmt.Errorf("%s of %T cannot be written alone", d.Field, want)
		}
	}
	return marked, nil
}
