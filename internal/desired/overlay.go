package desired

// overlay lays an environment's file over the stack: mappings are merged key by key, null removes a key, anything else replaces
// what was there. What the overlay may say is decided by the strict decoding that follows, so it has the shape of a stack.
func overlay(base, over *value, path string, p *problems) {
	for _, f := range over.fields {
		at := joined(path, f.key)
		have := base.get(f.key)
		switch {
		case f.value.null() && have == nil:
			p.add(f.at, at, "nothing to remove: not in the stack file%s", suggest(f.key, base.keys()))
		case f.value.null():
			base.remove(f.key)
		case have == nil:
			base.fields = append(base.fields, f)
		case have.kind == mapping && f.value.kind == mapping:
			overlay(have, f.value, at, p)
		default:
			base.replace(f)
		}
	}
}

// keys are those of a mapping, in the order of the file.
func (v *value) keys() []string {
	if v == nil {
		return nil
	}
	var keys []string
	for _, f := range v.fields {
		keys = append(keys, f.key)
	}
	return keys
}

func (v *value) remove(key string) {
	for i, f := range v.fields {
		if f.key == key {
			v.fields = append(v.fields[:i:i], v.fields[i+1:]...)
			return
		}
	}
}

func (v *value) replace(with *field) {
	for i, f := range v.fields {
		if f.key == with.key {
			v.fields[i] = with
		}
	}
}
