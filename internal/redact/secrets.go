// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash/maphash"
	"html"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	// minSecret is the shortest secret, in bytes: a shorter one would hide too much
	// else.
	minSecret = 8
	// maxSecrets is how many secrets of the session are kept, the newest. A session
	// has a dozen, and two more whenever it is renewed.
	maxSecrets = 128
	// minSignature and maxSignatures are the same for the values of pre-signed URLs.
	// Signatures are longer than dates and names of algorithms.
	minSignature  = 20
	maxSignatures = 1 << 15
	// maxPerURL is how many values are kept of a URL. A shared access signature of Azure
	// can have five long ones before its signature.
	maxPerURL = 8
	// maxEncodings is how many encodings on top of each other are undone.
	maxEncodings = 3
)

// known are the secrets of this process.
var known store

// store has the secrets of the session, which are few, and the signatures of
// pre-signed URLs, which an endpoint sends. They share no room, and the time that a
// text takes does not depend on how many signatures there are.
type store struct {
	mu      sync.RWMutex
	secrets []string

	signatures map[uint64]struct{}
	order      []uint64 // of the signatures, a ring
	next       int
}

var seed = maphash.MakeSeed()

// Secret registers keys, tokens and passwords: texts no longer contain them, in the
// spellings in which endpoints repeat them. Values of fewer than eight bytes are
// ignored.
func Secret(values ...string) {
	for _, value := range values {
		known.addSecret(value)
		known.addSecret(strings.ReplaceAll(value, " ", "+")) // As in a form, which decode does not undo.
	}
}

// SecretURL registers the user information and the query of a URL that the provider
// requests, such as an endpoint's or a proxy's, also in the Basic authentication of
// RFC 7617. A URL that cannot be parsed is a secret as a whole.
func SecretURL(raw string) {
	u, err := url.Parse(raw)
	if err != nil {
		Secret(raw)
		return
	}
	if password, ok := u.User.Password(); ok {
		_, rawPassword, _ := strings.Cut(u.User.String(), ":")
		Secret(password, rawPassword, base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	} else {
		Secret(u.User.Username())
	}
	Secret(u.RawQuery)
	for _, values := range u.Query() {
		Secret(values...)
	}
}

// Signatures registers what makes a pre-signed URL a credential: its signature and
// session token or, if it has none by Signature Version 4, the first long values of its
// query.
func Signatures(presigned string) { known.addURL(presigned) }

func (s *store) addURL(presigned string) {
	_, query, _ := strings.Cut(presigned, "?")
	query, _, _ = strings.Cut(query, "#")
	v4 := strings.Contains(query, "X-Amz-Signature=")
	kept := 0
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if len(value) < minSignature || (v4 && name != "X-Amz-Signature" && name != "X-Amz-Security-Token") {
			continue
		}
		if kept++; kept > maxPerURL {
			return
		}
		s.addSignatures(value)
		if decoded, err := url.QueryUnescape(value); err == nil {
			s.addSignatures(decoded)
		}
	}
}

// WithoutQuery returns what the host of a URL says without the values of the URL's
// query, of at least eight bytes, in the spellings of [Secret].
func WithoutQuery(text string, u *url.URL) string {
	var values store
	for parameter := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		if name == "x-id" || name == "X-Amz-Algorithm" {
			continue // Amazon S3 names the operation and the algorithm in messages.
		}
		values.addSecret(value)
		if decoded, err := url.QueryUnescape(value); err == nil {
			values.addSecret(decoded)
		}
	}
	return values.redact(text)
}

func (s *store) addSecret(value string) {
	value = strings.Join(strings.Fields(value), "")
	if len(value) < minSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.secrets, value) {
		return
	}
	if len(s.secrets) == maxSecrets {
		s.secrets = s.secrets[1:]
	}
	s.secrets = append(s.secrets, value)
}

func (s *store) addSignatures(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for run := range runs(value) {
		hash := maphash.String(seed, value[run.from:run.to])
		if _, ok := s.signatures[hash]; ok {
			continue
		}
		if s.signatures == nil {
			s.signatures = map[uint64]struct{}{}
		}
		s.signatures[hash] = struct{}{}
		if len(s.order) < maxSignatures {
			s.order = append(s.order, hash)
			continue
		}
		delete(s.signatures, s.order[s.next])
		s.order[s.next] = hash
		s.next = (s.next + 1) % maxSignatures
	}
}

// span is a part of a text, as offsets in bytes.
type span struct{ from, to int }

// redact returns text without the values of the store.
func (s *store) redact(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := s.findSignatures(text)
	if len(s.secrets) > 0 {
		view := compact(text)
		found = append(found, s.findCutSecret(view)...)
		for range maxEncodings + 1 {
			found = append(found, s.findSecrets(view)...)
			decoded, ok := view.decode()
			if !ok {
				break
			}
			view = decoded
		}
	}
	if len(found) == 0 {
		return text
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	end := 0
	for _, f := range found {
		if f.from >= end {
			b.WriteString(text[end:f.from] + Redacted)
		}
		end = max(end, f.to)
	}
	return b.String() + text[end:]
}

// findSignatures looks up every run of the text.
func (s *store) findSignatures(text string) (found []span) {
	if len(s.signatures) == 0 {
		return nil
	}
	for run := range runs(text) {
		if _, ok := s.signatures[maphash.String(seed, text[run.from:run.to])]; ok {
			found = append(found, run)
		}
	}
	return found
}

// runs yields the longest runs of characters that can be a signature: those of a
// URL's value, encoded or not, without the "=" that precedes it or pads base64 and
// the "." that ends a sentence.
func runs(s string) iter.Seq[span] {
	return func(yield func(span) bool) {
		from := 0
		for i := 0; i <= len(s); i++ {
			if i < len(s) && (s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z' || s[i] >= '0' && s[i] <= '9' || strings.IndexByte("-_~%+/", s[i]) >= 0) {
				continue
			}
			if i-from >= minSignature && !yield(span{from, i}) {
				return
			}
			from = i + 1
		}
	}
}

func (s *store) findSecrets(v view) (found []span) {
	for _, secret := range s.secrets {
		for from := 0; ; {
			i := strings.Index(v.text[from:], secret)
			if i < 0 {
				break
			}
			from += i + len(secret)
			found = append(found, v.span(from-len(secret), from))
		}
	}
	return found
}

// findCutSecret finds the beginning of a secret at the end of the text, where it was
// cut before it came here.
func (s *store) findCutSecret(v view) (found []span) {
	for _, secret := range s.secrets {
		for n := min(len(secret)-1, len(v.text)); n >= minSecret; n-- {
			if strings.HasSuffix(v.text, secret[:n]) {
				found = append(found, v.span(len(v.text)-n, len(v.text)))
				break
			}
		}
	}
	return found
}

// view is a text without white space, at which encodings break long values, and
// decoded as often as decode was called.
type view struct {
	text string
	// at has the part of the original that each byte stands for.
	at []span
}

func compact(text string) view {
	var b strings.Builder
	at := make([]span, 0, len(text))
	for i, r := range text {
		if unicode.IsSpace(r) {
			continue
		}
		size := utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, size = utf8.DecodeRuneInString(text[i:])
		}
		b.WriteString(text[i : i+size])
		for range size {
			at = append(at, span{i, i + size})
		}
	}
	return view{b.String(), at}
}

func (v view) span(from, to int) span { return span{v.at[from].from, v.at[to-1].to} }

var encoded = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\[/"\\nrt]|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,6});`)
})

// decode undoes percent-encoding and the escapes of JSON and HTML once. It returns
// false if there is nothing to undo.
func (v view) decode() (view, bool) {
	if !strings.ContainsAny(v.text, `%\&`) {
		return v, false
	}
	matches := encoded().FindAllStringIndex(v.text, -1)
	if matches == nil {
		return v, false
	}
	var b strings.Builder
	at := make([]span, 0, len(v.at))
	end := 0
	for _, m := range matches {
		b.WriteString(v.text[end:m[0]])
		at = append(at, v.at[end:m[0]]...)
		end = m[1]
		for _, c := range []byte(decodeOne(v.text[m[0]:m[1]])) {
			if !unicode.IsSpace(rune(c)) {
				b.WriteByte(c)
				at = append(at, v.span(m[0], m[1]))
			}
		}
	}
	b.WriteString(v.text[end:])
	return view{b.String(), append(at, v.at[end:]...)}, true
}

func decodeOne(s string) (decoded string) {
	switch s[0] {
	case '%':
		c, _ := hex.DecodeString(s[1:])
		return string(c)
	case '\\':
		_ = json.Unmarshal([]byte(`"`+s+`"`), &decoded)
		return decoded
	default:
		return html.UnescapeString(s)
	}
}
