package gcp

import (
	"context"
	"encoding/json"
	"fmt"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2/google"
)

// Whose is for people: as whom the configuration speaks, and by what. It gets a token to know that one is given, and shows none of it.
func (c Config) Whose(ctx context.Context) (string, error) {
	source, err := c.TokenSource(ctx)
	if err != nil {
		return "", err
	}
	if _, err := source.Token(); err != nil {
		return "", err
	}
	switch {
	case c.Impersonate != "":
		return c.Impersonate + ", by impersonation", nil
	case c.AccessTokenFile != "":
		return "whoever the token in " + c.AccessTokenFile + " is of", nil
	}
	found, err := google.FindDefaultCredentials(ctx, scopePlatform)
	if err != nil {
		return "", fmt.Errorf("credentials: %w", err)
	}
	var file struct {
		Type  string `json:"type"`
		Email string `json:"client_email"`
	}
	if len(found.JSON) > 0 {
		if err := json.Unmarshal(found.JSON, &file); err != nil {
			return "", fmt.Errorf("credentials: the file is not JSON")
		}
		if file.Email != "" {
			return file.Email + ", by a key", nil
		}
		return "application default credentials of type " + file.Type, nil
	}
	email, err := metadata.EmailWithContext(ctx, "")
	if err != nil {
		return "", fmt.Errorf("credentials: %w", err)
	}
	return email + ", of this machine", nil
}
