package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"recsysd.dev/recsysd/internal/httpd"
	"recsysd.dev/recsysd/internal/webhook"
)

// listenForHooks opens the receiver's listener; nil: there is to be none.
func listenForHooks(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	return l, nil
}

// hooks receives what Git hosts tell of pushes until ctx is done.
func (d *daemon) hooks(ctx context.Context, l net.Listener) error {
	d.log.Info("webhooks are received", zap.String("address", l.Addr().String()), zap.String("path", webhook.Path+"STACK"))
	var said complaints
	r := &webhook.Receiver{
		Secret: d.hookSecret,
		Pushed: d.pushed,
		Answered: func(code int, err error) {
			d.metrics.Hook(code)
			if err != nil {
				said.limit(code).Do(func() { d.log.Warn("webhook refused", zap.Int("code", code), zap.Error(err)) })
			}
		},
	}
	return httpd.Serve(ctx, l, r.Handler(), 30*time.Second)
}

// complaints keeps whoever floods the listener from flooding the log. Each code has a limit of its own, so that strangers who are refused do
// not hide a secret that cannot be read. The zero value is ready.
type complaints struct {
	mu     sync.Mutex
	byCode map[int]*rate.Sometimes
}

func (c *complaints) limit(code int) *rate.Sometimes {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byCode == nil {
		c.byCode = map[int]*rate.Sometimes{}
	}
	if c.byCode[code] == nil {
		c.byCode[code] = &rate.Sometimes{First: 3, Interval: time.Minute}
	}
	return c.byCode[code]
}

// minHookSecret is what can be guessed by nobody: 16 characters of hexadecimal are 64 bits.
const minHookSecret = 16

// hookSecret reads what a stack's hooks are signed with; nil: there is none, or no such stack.
func (d *daemon) hookSecret(stack string) ([]byte, error) {
	r, err := d.find(stack)
	if err != nil {
		return nil, nil
	}
	r.mu.Lock()
	file := r.stack.Git.WebhookSecretFile
	r.mu.Unlock()
	if file == "" {
		return nil, nil
	}
	secret, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("stack %s: webhook secret: %w", stack, err)
	}
	if secret = bytes.TrimSpace(secret); len(secret) < minHookSecret {
		return nil, fmt.Errorf("stack %s: webhook secret: %s holds fewer than %d characters", stack, file, minHookSecret)
	}
	return secret, nil
}

// pushed has a stack's repository looked at.
func (d *daemon) pushed(stack string) {
	r, err := d.find(stack)
	if err != nil {
		return // it left the configuration while the request was read
	}
	r.mu.Lock()
	p := r.parts
	r.mu.Unlock()
	if p != nil { // else it will look as soon as it can
		p.source.Hint()
	}
}
