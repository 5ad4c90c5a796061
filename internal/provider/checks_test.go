// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	"github.com/opencontainers/go-digest"
)

// expectDownload checks that an attribute is a URL from which anyone can download
// content with this digest.
func expectDownload(address string, attribute tfjsonpath.Path, want string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, attribute, servesDigest(want))
}

type servesDigest string

func (want servesDigest) CheckValue(value any) error {
	url, ok := value.(string)
	if !ok {
		return fmt.Errorf("got %v, want a URL", value)
	}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	got, err := digest.FromReader(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || got.String() != string(want) {
		return fmt.Errorf("the URL serves %s (%s)", got, response.Status)
	}
	return nil
}

func (want servesDigest) String() string {
	return "a URL that serves " + string(want)
}

// expiresIn checks that a time is d from now, or up to 5 minutes less.
func expiresIn(d time.Duration) knownvalue.Check {
	return knownvalue.StringFunc(func(s string) error {
		expiry, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return err
		}
		if !strings.HasSuffix(s, "Z") {
			return errors.New("the time is not in UTC")
		}
		if left := time.Until(expiry); left > d || left < d-5*time.Minute {
			return fmt.Errorf("the time is %s from now, want %s", left, d)
		}
		return nil
	})
}

// inOrder matches a diagnostic that contains all parts in this order, wherever the
// CLI breaks lines.
func inOrder(parts ...string) *regexp.Regexp {
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(part, " ", `[\s│|]+`)
	}
	return regexp.MustCompile(`(?s)` + strings.Join(parts, ".*"))
}
