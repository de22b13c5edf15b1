package desired

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Schema is a JSON Schema of the stack file, for editors. It is made from the structs that the file is decoded into, so it knows
// their keys and no others. What depends on several values at once is left to Load, and so is an environment's overlay, in
// which anything may be missing.
func Schema() []byte {
	top := schemaOf(reflect.TypeFor[file](), "")
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["$id"] = "https://recsysd.dev/schema/v1alpha1/stack.json"
	top["title"] = "recsysd stack"
	top["type"] = "object"
	top["$defs"] = schema{
		"variable": schema{"type": "string", "pattern": `\$\{`, "description": "A text with ${variables}: judged when they are replaced."},
		"text":     schema{"type": []string{"string", "number", "boolean"}, "description": "Text, with or without quotes; it is taken as it is written."},
	}
	out, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("desired: a schema that JSON cannot hold: %v", err)) // a programming mistake
	}
	return append(out, '\n')
}

type schema map[string]any

func reference(def string) schema { return schema{"$ref": "#/$defs/" + def} }

// orVariable admits a text with variables where it would not fit otherwise.
func orVariable(s schema) schema { return schema{"anyOf": []schema{s, reference("variable")}} }

// schemaOf describes what the decoder takes for a type.
func schemaOf(t reflect.Type, enum string) schema {
	if t.Kind() == reflect.Pointer {
		return schemaOf(t.Elem(), enum)
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		text := textSchema(t)
		if t.Kind() == reflect.Struct && len(fieldsOf(t)) > 0 {
			return schema{"anyOf": []schema{text, structSchema(t)}}
		}
		if t.Kind() == reflect.Map {
			return schema{"anyOf": []schema{text, {"type": "object", "additionalProperties": schemaOf(t.Elem(), "")}}}
		}
		if t.Kind() == reflect.Slice {
			return schema{"anyOf": []schema{text, {"type": "array", "items": schemaOf(t.Elem(), "")}}}
		}
		return text
	}
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t)
	case reflect.Map:
		return schema{"type": []string{"object", "null"}, "additionalProperties": schemaOf(t.Elem(), "")}
	case reflect.Slice:
		return schema{"type": []string{"array", "null"}, "items": schemaOf(t.Elem(), enum)}
	case reflect.Bool:
		return orVariable(schema{"type": "boolean"})
	case reflect.Int, reflect.Int32, reflect.Int64:
		return orVariable(schema{"type": "integer"})
	}
	if enum != "" {
		return orVariable(schema{"enum": strings.Split(enum, ",")})
	}
	return reference("text")
}

// textSchema describes a single value with a form of its own, which its type may tell as a pattern.
func textSchema(t reflect.Type) schema {
	if t.Implements(reflect.TypeFor[interface{ Number() }]()) {
		return orVariable(schema{"type": "integer"})
	}
	p, ok := reflect.Zero(t).Interface().(interface{ Pattern() string })
	if !ok {
		return reference("text")
	}
	s := schema{"type": []string{"string", "number"}, "pattern": p.Pattern()}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ AboveZero() }]()) {
		s["exclusiveMinimum"] = 0
	}
	return orVariable(s)
}

// structSchema knows every key that a struct takes, and admits no other.
func structSchema(t reflect.Type) schema {
	properties, required := schema{}, []string{}
	known := fieldsOf(t)
	for _, k := range known {
		property := schemaOf(k.Type, enumOf(known, k.key, k))
		property["description"] = k.Tag.Get("doc")
		properties[k.key] = property
		if k.Tag.Get("required") == "true" {
			required = append(required, k.key)
		}
	}
	s := schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
		s["type"] = "object" // there is no leaving it empty
	}
	return s
}
