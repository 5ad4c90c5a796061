// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"net/url"
	"strings"
	"sync"
)

const redacted = "REDACTED"

const (
	// minSecret is the shortest value that is a secret. A shorter one would hide
	// too much else.
	minSecret = 8
	// minURLSecret is the shortest value in a URL's query that is a secret.
	// Signatures and tokens are longer, dates and the names of algorithms shorter.
	minURLSecret = 20
	// maxSecrets is how many values are kept: those of two URLs of the largest
	// batch, and the provider's own.
	maxSecrets = 1 << 15
)

// secrets are the values that Redact replaces wherever they are.
var secrets secretSet

// AddSecret has Redact replace the values from now on, also in their
// percent-encoded form. Values of fewer than eight bytes are ignored.
func AddSecret(values ...string) {
	for _, value := range values {
		secrets.add(value, minSecret)
		secrets.add(url.QueryEscape(value), minSecret)
	}
}

// addURLSecrets has Redact replace what makes a pre-signed URL a credential: its
// signature or, if it has none by Signature Version 4, every long value of its query.
func addURLSecrets(presigned string) {
	_, query, _ := strings.Cut(presigned, "?")
	if _, rest, ok := strings.Cut(query, "X-Amz-Signature="); ok {
		signature, _, _ := strings.Cut(rest, "&")
		secrets.add(strings.Clone(signature), minURLSecret)
		return
	}
	for parameter := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(parameter, "=")
		secrets.add(strings.Clone(value), minURLSecret)
		if decoded, err := url.QueryUnescape(value); err == nil {
			secrets.add(decoded, minURLSecret)
		}
	}
}

// secretSet is a set of values. It finds them in a text by their first bytes, so
// that a text costs the same however many values there are.
type secretSet struct {
	mu     sync.RWMutex
	values map[string]struct{}
	starts map[start][]string
}

type start [minSecret]byte

// add adds a value if it has at least so many bytes.
func (s *secretSet) add(value string, least int) {
	if len(value) < least {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.values[value]; ok || len(s.values) >= maxSecrets {
		return
	}
	if s.values == nil {
		s.values, s.starts = map[string]struct{}{}, map[start][]string{}
	}
	s.values[value] = struct{}{}
	first := start([]byte(value[:minSecret]))
	s.starts[first] = append(s.starts[first], value)
}

// redact returns text with the values replaced.
func (s *secretSet) redact(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.values) == 0 || len(text) < minSecret {
		return text
	}
	var (
		b    strings.Builder
		kept int // up to here, text is in b
	)
	for i := 0; i+minSecret <= len(text); {
		longest := 0
		for _, value := range s.starts[start([]byte(text[i:i+minSecret]))] {
			if len(value) > longest && strings.HasPrefix(text[i:], value) {
				longest = len(value)
			}
		}
		if longest == 0 {
			i++
			continue
		}
		b.WriteString(text[kept:i] + redacted)
		i += longest
		kept = i
	}
	if kept == 0 {
		return text
	}
	return b.String() + text[kept:]
}
