package main

import (
	"context"

	"go.uber.org/zap"

	"recsysd.dev/recsysd/internal/config"
	"recsysd.dev/recsysd/internal/desired"
	"recsysd.dev/recsysd/internal/sealed"
	"recsysd.dev/recsysd/internal/secretmanager"
)

// keyFile reads the keys of encrypted files whenever a stack with such files is read; nil without a file.
func keyFile(path string) func() (sealed.Keys, error) {
	if path == "" {
		return nil
	}
	return func() (sealed.Keys, error) { return sealed.ReadKeys(path) }
}

// managed asks Secret Manager on behalf of the stack file; nil where there is none.
func managed(ctx context.Context, store *secretmanager.Store) func([]desired.ManagedName) []desired.ManagedValue {
	if store == nil {
		return nil
	}
	return func(wanted []desired.ManagedName) []desired.ManagedValue {
		names := make([]secretmanager.Name, len(wanted))
		for i, n := range wanted {
			names[i] = secretmanager.Name(n)
		}
		values := make([]desired.ManagedValue, len(wanted))
		for i, v := range store.Values(ctx, names) {
			values[i] = desired.ManagedValue{Data: v.Data, Version: v.Version, Err: v.Err, Next: v.Next}
			if v.Stale != nil {
				values[i].Notice = v.Stale.Error()
			}
		}
		return values
	}
}

// watchKeys has a pass made as soon as the key file is another: an encrypted file that could not be opened may open now. A file that
// cannot be watched is read again by the passes that come anyway.
func (r *runner) watchKeys(ctx context.Context, path string, news func(why string)) error {
	if path == "" {
		return nil
	}
	standing := false
	err := config.Watch(ctx, path, func() {
		if standing {
			news("the key file has changed")
		}
		standing = true // the first call says no more than that the watch stands
	})
	if err != nil {
		r.log.Warn("key file not watched", zap.Error(err))
	}
	return nil
}
