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

// expectDownload checks that an attribute is a URL which leads, without any
// credentials, to content of a digest.
func expectDownload(address string, attribute tfjsonpath.Path, want string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, attribute, leadsTo(want))
}

type leadsTo string

func (want leadsTo) CheckValue(value any) error {
	url, ok := value.(string)
	if !ok {
		return fmt.Errorf("the URL is %v", value)
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
		return fmt.Errorf("the URL leads to %s (%s)", got, response.Status)
	}
	return nil
}

func (want leadsTo) String() string {
	return "a URL of " + string(want)
}

// expiresIn checks that a time is about that far in the future.
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
			return fmt.Errorf("the time is in %s, want %s", left, d)
		}
		return nil
	})
}

// inOrder matches a diagnostic that has all parts one after the other, however
// the CLI breaks its lines.
func inOrder(parts ...string) *regexp.Regexp {
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(part, " ", `[\s│|]+`)
	}
	return regexp.MustCompile(`(?s)` + strings.Join(parts, ".*"))
}
