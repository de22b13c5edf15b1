package gcp

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"
)

// A server of tokens that hangs costs each call no more than any other read, and no goroutine for each.
func TestTokenThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		hangs := make(chan struct{})
		source := &promptToken{source: tokenFunc(func() (*oauth2.Token, error) {
			asked.Add(1)
			<-hangs
			return &oauth2.Token{AccessToken: "here"}, nil
		})}
		for range 3 {
			if token, err := source.Token(); token != nil || !errors.Is(err, errNoToken) {
				t.Errorf("no token came, and yet: %v, %v", token, err)
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times while the first question was open", n)
		}
		close(hangs)
		synctest.Wait()
		if token, err := source.Token(); err != nil || token.AccessToken != "here" {
			t.Errorf("it answers again: %v, %v", token, err)
		}
	})
}

func TestTokenRefused(t *testing.T) {
	refused := errors.New("refused")
	source := &promptToken{source: tokenFunc(func() (*oauth2.Token, error) { return nil, refused })}
	if _, err := source.Token(); !errors.Is(err, refused) {
		t.Errorf("the refusal is lost: %v", err)
	}
}

type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }
