// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// PlatformError is a platform that does not select one manifest of an image. It
// has Available or Entries unless the image is not an index; then, a platform was
// requested.
type PlatformError struct {
	// Requested is the platform of the request, empty if it had none.
	Requested string
	// Ambiguous is set if Requested selects several versions or sets of features of
	// an operating system.
	Ambiguous bool
	// Available are the platforms that can be requested instead.
	Available []string
	// Entries are the manifests in the index, of which one can be requested by its
	// digest. It is empty if the image is not an index.
	Entries []IndexManifest
	// Reason says what is wrong, as a clause.
	Reason string
}

// EmptyIndexError is an index that lists no manifest, whatever the platform.
type EmptyIndexError struct {
	// Reason says what it lists, as a clause.
	Reason string
}

// Error returns the reason.
func (e *EmptyIndexError) Error() string {
	return e.Reason
}

// maxChoices is how many platforms or entries an error lists.
const maxChoices = 10

// Error returns the reason and the choices.
func (e *PlatformError) Error() string {
	choices := e.Choices()
	switch {
	case choices == "":
		return e.Reason
	case len(e.Available) > 0:
		return e.Reason + "; its platforms are " + choices
	default:
		return e.Reason + "; its entries are\n" + choices
	}
}

// Choices returns what can be requested instead: the available platforms in one
// line or, without any, the entries of the index by digest, media type and
// artifact type, one per line. It returns the first few and how many more there
// are, and an empty string if there are none.
func (e *PlatformError) Choices() string {
	var choices []string
	separator := ", "
	for _, platform := range e.Available[:min(len(e.Available), maxChoices)] {
		choices = append(choices, redact.Line(platform, maxQuoted))
	}
	left := len(e.Available) - len(choices)
	if len(e.Available) == 0 {
		separator = "\n"
		for _, entry := range e.Entries[:min(len(e.Entries), maxChoices)] {
			choices = append(choices, entry.describe())
		}
		left = len(e.Entries) - len(choices)
	}
	if left > 0 {
		choices = append(choices, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(choices, separator)
}

// describe returns the entry in one line of limited length.
func (m IndexManifest) describe() string {
	about := []string{cmp.Or(m.MediaType, "no media type"), cmp.Or(m.ArtifactType, "no artifact type")}
	if m.Platform != "" {
		about = append([]string{m.Platform}, about...)
	}
	for i := range about {
		about[i] = redact.Line(about[i], maxQuoted)
	}
	return fmt.Sprintf("%s (%s)", m.Digest, strings.Join(about, ", "))
}

// ParsePlatform parses os/arch or os/arch/variant by the rules and with the
// aliases of github.com/containerd/platforms. Version and features of the
// operating system go in parentheses: "windows(10.0.20348)/amd64",
// "linux(+erofs)/amd64". Unlike there, they may be any text, in which "%", "+",
// "(", ")" and "/" are percent-encoded; and an operating system or an architecture
// alone is an error, because its meaning would depend on the machine.
func ParsePlatform(s string) (ocispec.Platform, error) {
	name, options := s, ""
	if system, rest, ok := strings.Cut(s, "("); ok && !strings.Contains(system, "/") {
		if end := strings.LastIndex(rest, ")/"); end >= 0 {
			name, options = system+rest[end+1:], rest[:end]
		}
	}
	platform, err := platforms.Parse(name)
	if !strings.Contains(name, "/") {
		err = errors.New("an operating system or an architecture alone")
	}
	for i, option := range strings.Split(options, "+") {
		text, invalid := url.PathUnescape(option)
		switch {
		case invalid != nil || (i > 0 && text == ""):
			err = errors.New("an invalid version or feature")
		case i == 0:
			platform.OSVersion = text
		default:
			platform.OSFeatures = append(platform.OSFeatures, text)
		}
	}
	if err != nil {
		return ocispec.Platform{}, errors.New(`must have the form os/arch or os/arch/variant, such as "linux/amd64" or "linux/arm/v7"`)
	}
	return platform, nil
}

// normalize returns a platform as it is compared: without aliases, with sorted
// features. The feature win32k, which containerd ignores, is left out.
func normalize(platform ocispec.Platform) ocispec.Platform {
	var features []string
	for _, feature := range platform.OSFeatures {
		if feature != "" && feature != "win32k" {
			features = append(features, feature)
		}
	}
	platform.OSFeatures = features
	return platforms.Normalize(platform)
}

// versionless returns the platform without the version of the operating system.
func versionless(platform ocispec.Platform) ocispec.Platform {
	platform.OSVersion = ""
	return platform
}

// isSelectable reports whether ParsePlatform can express the platform. It cannot
// for the unknown/unknown of an attestation. A version or feature must not change
// what a terminal shows.
func isSelectable(platform ocispec.Platform) bool {
	for _, name := range []string{platform.OS, platform.Architecture} {
		if name == "" || name == "unknown" {
			return false
		}
	}
	for _, text := range append([]string{platform.OSVersion}, platform.OSFeatures...) {
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }) {
			return false
		}
	}
	platform = normalize(platform)
	parsed, err := ParsePlatform(platforms.FormatAll(platform))
	return err == nil && reflect.DeepEqual(normalize(parsed), platform)
}

// matcher compares platforms with a requested one.
type matcher struct {
	platforms.MatchComparer
	// exact also matches a variant that containerd does not know, arm64/armv8.
	exact platforms.Matcher
	// name is the platform as it was requested.
	name      string
	requested ocispec.Platform
}

// newMatcher returns a matcher by containerd's rules of what a machine can run,
// best first: linux/arm/v7 also takes v6 and v5, and a feature of the operating
// system must be requested. Two things differ. It keeps to the requested
// architecture, whatever else such a machine could run (386 on amd64, arm on
// arm64). And the version of the operating system is that of the image, in full or
// up to a period, and not of a host on which images of several versions run.
//
// It uses a release candidate of containerd's module, as containerd 2.4 and BuildKit
// 0.34 do, because v0.2 knows no features and compares versions on Windows machines
// only. What is called here gives the same on every machine.
//
// It returns nil if s is empty.
func newMatcher(s string) (*matcher, error) {
	if s == "" {
		return nil, nil
	}
	requested, err := ParsePlatform(s)
	if err != nil {
		return nil, err
	}
	requested = normalize(requested)
	bare := versionless(requested)
	return &matcher{MatchComparer: platforms.Only(bare), exact: platforms.NewMatcher(bare), name: s, requested: requested}, nil
}

// match reports whether a candidate is one of those requested. An index may
// contain any version if it does not say.
func (m *matcher) match(c *candidate) bool {
	version := m.requested.OSVersion
	return (m.Match(c.normalized) || m.exact.Match(c.normalized)) && c.normalized.Architecture == m.requested.Architecture &&
		(version == "" || c.normalized.OSVersion == version || strings.HasPrefix(c.normalized.OSVersion, version+".") ||
			(c.normalized.OSVersion == "" && isIndexType(c.MediaType)))
}

// best returns the candidates that match best, in their order: none, one, or
// several that match equally well.
func (m *matcher) best(candidates []*candidate) []*candidate {
	var found, exact []*candidate
	for _, candidate := range candidates {
		switch {
		case !m.match(candidate):
		case len(found) == 0 || m.Less(candidate.normalized, found[0].normalized):
			found = append(found[:0:0], candidate)
		case !m.Less(found[0].normalized, candidate.normalized):
			found = append(found, candidate)
		}
	}
	for _, candidate := range found {
		if candidate.normalized.OSVersion == m.requested.OSVersion {
			exact = append(exact, candidate)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return found
}

// check returns an error unless the config is that of an image for the requested
// platform: a *PlatformError, or a *BrokenImageError if the config cannot say.
func (m *matcher) check(config *config) error {
	if config.platformErr != nil {
		return &BrokenImageError{Reason: "the config cannot be read: " + config.platformErr.Error()}
	}
	if !isSelectable(config.platform) {
		return &PlatformError{Requested: m.name, Reason: "neither an index nor the config of the image says its platform"}
	}
	_, err := choosePlatform([]*candidate{newCandidate(ocispec.Descriptor{Platform: &config.platform})}, m)
	return err
}

// withoutTwins returns the candidates, but none with features of the operating
// system if there is one for the same platform without.
func withoutTwins(candidates []*candidate) []*candidate {
	featureless := func(c *candidate) string {
		platform := c.normalized
		platform.OSFeatures = nil
		return platforms.FormatAll(platform)
	}
	twins := map[string]bool{}
	for _, c := range candidates {
		if len(c.normalized.OSFeatures) == 0 {
			twins[featureless(c)] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(candidates), func(c *candidate) bool {
		return len(c.normalized.OSFeatures) > 0 && twins[featureless(c)]
	})
}

// choosePlatform returns the requested candidate, or the only one if requested is
// nil. Every candidate has a platform. Of several for the same platform it
// returns the first, as container runtimes do, whatever else tells them apart: the
// compression, annotations, the CPU features of a Docker manifest list. Versions
// and features of an operating system make different platforms. The error is a
// *PlatformError.
func choosePlatform(candidates []*candidate, requested *matcher) (*candidate, error) {
	failure := &PlatformError{}
	var found []*candidate
	if requested != nil {
		found, failure.Requested = requested.best(candidates), requested.name
	} else {
		found = withoutTwins(candidates)
	}
	different, versions := map[string]bool{}, map[string]bool{}
	for _, c := range found {
		different[platforms.FormatAll(c.normalized)], versions[c.normalized.OSVersion] = true, true
	}
	switch {
	case len(different) == 1:
		return found[0], nil
	case len(different) == 0:
		failure.Reason = "the image is not for platform " + failure.Requested
		failure.Available = formatPlatforms(candidates)
	case requested == nil:
		failure.Reason = "the image has several platforms and none was requested"
		failure.Available = formatPlatforms(candidates)
	default:
		what := "versions"
		if len(versions) == 1 {
			what = "sets of features"
		}
		failure.Reason = "the image has several " + what + " of the operating system for platform " + failure.Requested
		failure.Ambiguous = true
		failure.Available = formatPlatforms(found)
	}
	return nil, failure
}

// platformFormat returns a function that formats platforms as containerd does,
// which is how ParsePlatform reads them, but with the version of the operating
// system only where two candidates have nothing else to tell them apart.
func platformFormat(candidates []*candidate) func(*candidate) string {
	versions, ambiguous := map[string]string{}, map[string]bool{}
	for _, c := range candidates {
		key := platforms.FormatAll(versionless(c.normalized))
		if version, ok := versions[key]; ok && version != c.normalized.OSVersion {
			ambiguous[key] = true
		}
		versions[key] = c.normalized.OSVersion
	}
	return func(c *candidate) string {
		platform := *c.Platform
		platform.OSFeatures = c.normalized.OSFeatures
		if !ambiguous[platforms.FormatAll(versionless(c.normalized))] {
			platform.OSVersion = ""
		}
		return platforms.FormatAll(platform)
	}
}

// formatPlatforms returns the platforms of candidates by platformFormat, each
// once, in their order.
func formatPlatforms(candidates []*candidate) []string {
	var formatted []string
	seen, format := map[string]bool{}, platformFormat(candidates)
	for _, c := range candidates {
		if c.Platform == nil {
			continue
		}
		if name := format(c); !seen[name] {
			seen[name] = true
			formatted = append(formatted, name)
		}
	}
	return formatted
}
