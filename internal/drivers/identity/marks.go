package identity

import (
	"fmt"
	"strings"

	"recsysd.dev/recsysd/internal/drivers/gcp"
)

// A service account has no labels. Its marks are words of its description, each KEY=VALUE, after whatever people wrote there.
const (
	markProtect    = "recsysd-protect"
	maxDescription = 256 // bytes
)

// marks are what an account's description says of its owner and its handling.
type marks struct {
	text        string // what people wrote
	stack       string
	namespace   string
	unprotected string
	protect     bool
}

func parseMarks(description string) marks {
	var m marks
	var words []string
	for word := range strings.FieldsSeq(description) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case gcp.LabelStack:
			m.stack = value
		case gcp.LabelNamespace:
			m.namespace = value
		case gcp.LabelUnprotected:
			m.unprotected = value
		case markProtect:
			m.protect = value == "true"
		default:
			words = append(words, word)
		}
	}
	m.text = strings.Join(words, " ")
	return m
}

// String is the description. What people wrote is cut short where the marks need the room.
func (m marks) String() string {
	var words []string
	add := func(key, value string) {
		if value != "" {
			words = append(words, key+"="+value)
		}
	}
	add(gcp.LabelStack, m.stack)
	add(gcp.LabelNamespace, m.namespace)
	add(gcp.LabelUnprotected, m.unprotected)
	if m.protect {
		add(markProtect, "true")
	}
	own := strings.Join(words, " ")
	text := m.text
	if room := maxDescription - len(own) - 1; len(text) > room {
		text = strings.TrimSpace(strings.ToValidUTF8(text[:max(room, 0)], ""))
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", text, own))
}

// wanted are the marks of s, over what people wrote.
func (m marks) wanted(s Spec) marks {
	m.stack, m.namespace, m.protect = s.Stack, s.Namespace, s.Protect
	return m
}
