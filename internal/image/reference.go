// Package image knows how an image is called and which of its tags a policy chooses. It is pure: what a registry holds is
// handed to it, and what comes of a choice is the business of others.
package image

import (
	"strings"
	"time"
)

// Reference names an image: path:tag@digest, where either may be missing.
type Reference struct {
	Path   string // such as us-central1-docker.pkg.dev/acme/images/recsys-api
	Tag    string
	Digest string // sha256:…
}

// ParseReference takes a reference apart. It does not judge it.
func ParseReference(text string) Reference {
	var r Reference
	text, r.Digest, _ = strings.Cut(text, "@")
	r.Path = text
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, '/') { // else it is a port
		r.Path, r.Tag = text[:i], text[i+1:]
	}
	return r
}

// String puts it together again.
func (r Reference) String() string {
	text := r.Path
	if r.Tag != "" {
		text += ":" + r.Tag
	}
	if r.Digest != "" {
		text += "@" + r.Digest
	}
	return text
}

// Tag is one tag of an image as a registry lists it.
type Tag struct {
	Name     string
	Digest   string    // of what it is on; "": not known
	Uploaded time.Time // when that was uploaded; zero: not known
}

// At is the reference of the tag on the image at path, pinned by its digest where that is known.
func (t Tag) At(path string) Reference { return Reference{path, t.Name, t.Digest} }

// Note writes down a choice, so that it is known as long as whatever carries the note is there: the reference and the time of its upload.
func (t Tag) Note(path string) string {
	note := t.At(path).String()
	if !t.Uploaded.IsZero() {
		note += " " + t.Uploaded.UTC().Format(time.RFC3339Nano)
	}
	return note
}

// ParseNote reads what Note wrote. It is not ok for another image than that at path, or a note that names no tag.
func ParseNote(note, path string) (t Tag, ok bool) {
	text, at, timed := strings.Cut(note, " ")
	r := ParseReference(text)
	if r.Path != path || r.Tag == "" {
		return Tag{}, false
	}
	t = Tag{Name: r.Tag, Digest: r.Digest}
	if timed {
		uploaded, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			return Tag{}, false
		}
		t.Uploaded = uploaded.UTC()
	}
	return t, true
}

// Repository is one of Artifact Registry's.
type Repository struct{ Project, Location, Name string }

// Listing is what is known of a repository's tags.
type Listing struct {
	Tags  map[string][]Tag // by the image's name within the repository; nil if no answer ever came
	Err   error            // why there was no answer when it was asked last; Tags are then older
	Until time.Time        // when it is worth asking again
}

// Known reports whether the listing says what there is, and what there is not.
func (l Listing) Known() bool { return l.Tags != nil }
