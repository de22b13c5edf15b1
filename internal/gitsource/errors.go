package gitsource

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// ErrRewritten is in the error of a branch whose newest commit does not descend from the last one that was accepted.
var ErrRewritten = errors.New("the branch was rewritten")

// errSHA256 is the answer for a repository in the newer object format, which go-git does not read.
var errSHA256 = errors.New("the repository uses SHA-256 for its objects, which is not supported")

// ErrNoBranch is in the error of a branch that does not exist.
var ErrNoBranch = errors.New("there is no such branch")

// ErrMoved is in the error of a push to a branch that is not, or no longer, where it was expected.
var ErrMoved = errors.New("the branch has moved")

// errMayNotWrite is the answer to credentials that are good for reading alone.
var errMayNotWrite = errors.New("may not write")

// errPackTooLarge is the end of a download that would exceed maxBytes.
type errPackTooLarge int64

func (e errPackTooLarge) Error() string {
	return fmt.Sprintf("the pack is larger than %s (git.maxBytes)", binarySize(int64(e)))
}

// binarySize writes a number of bytes as a configuration would.
func binarySize(n int64) string {
	switch {
	case n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// shownError has a text for people, one line without secrets, in front of the error that caused it.
type shownError struct {
	text  string
	cause error
}

func (e *shownError) Error() string { return e.text }
func (e *shownError) Unwrap() error { return e.cause }

// explain turns what the transports return into one line that says what to do about it.
func explain(ctx context.Context, a address, auth Auth, err error) error {
	if err == nil {
		return nil
	}
	return &shownError{text: fmt.Sprintf("git %s: %s", a, reason(ctx, a, auth, err)), cause: err}
}

// reason knows the errors that have a remedy; the others are shown as they are, on one line.
func reason(ctx context.Context, a address, auth Auth, err error) string {
	var unexpected *plumbing.UnexpectedError // hides what it wraps
	if errors.As(err, &unexpected) {
		err = unexpected.Err
	}
	var status *githttp.Err
	var address *url.Error
	var garbage *packp.ErrUnexpectedData
	switch cause := context.Cause(ctx); {
	case cause != nil && !errors.As(err, new(errPackTooLarge)):
		return cause.Error()
	case errors.Is(err, errMayNotWrite):
		return "access denied: the token" + from(auth.TokenFile) + " may read this repository, but not write to it"
	case errors.Is(err, transport.ErrAuthenticationRequired):
		if auth.TokenFile == "" && a.password == "" {
			return "authentication failed: the server wants a token; set git.auth.tokenFile"
		}
		return "authentication failed: the server does not accept the token" + from(auth.TokenFile)
	case errors.Is(err, transport.ErrAuthorizationFailed):
		return "access denied: the token" + from(auth.TokenFile) + " may not read this repository"
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return "repository not found (many hosts also say so when the credentials may not read it)"
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return "the repository is empty: it has no commit yet"
	case errors.As(err, &status):
		return fmt.Sprintf("the server answers %d %s", status.StatusCode(), http.StatusText(status.StatusCode()))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the server ended the connection in the middle"
	case errors.As(err, &garbage) && isSHA256(garbage.Data):
		return errSHA256.Error()
	case errors.As(err, &address): // repeats the URL
		err = address.Err
	}
	return printable(withoutSecrets(a, auth, err.Error()))
}

// isSHA256 tells whether a line of a listing goes on with the rest of a longer hash where a SHA-1 has ended.
func isSHA256(rest []byte) bool {
	hash, _, found := bytes.Cut(rest, []byte(" "))
	_, err := hex.DecodeString(string(hash))
	return found && len(hash) == 24 && err == nil
}

// from names the file that a credential came from.
func from(file string) string {
	if file == "" {
		return ""
	}
	return " in " + file
}

// withoutSecrets is the last guard: what the libraries put into their texts is not ours to decide.
func withoutSecrets(a address, auth Auth, text string) string {
	secrets := []string{a.password, a.user}
	if auth.TokenFile != "" {
		if token, err := readSecret(auth.TokenFile); err == nil {
			secrets = append(secrets, token)
		}
	}
	for _, secret := range secrets {
		if len(secret) > 3 && a.endpoint.Protocol != "ssh" {
			text = strings.ReplaceAll(text, secret, "REDACTED")
		}
	}
	return text
}

// printable makes one short line of a text that a server may have written.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}
