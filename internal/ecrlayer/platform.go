// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/redact"
)

// PlatformError is a platform that does not select one manifest of an image.
type PlatformError struct {
	// Requested is the platform of the request, empty if it had none.
	Requested string
	// Ambiguous is set if Requested selects several versions of an operating system.
	Ambiguous bool
	// Available are the platforms that can be requested instead.
	Available []string
	// Entries are all entries of the index, of which one can be requested by its
	// digest. It is empty if the image is not an index.
	Entries []IndexManifest
	// Reason says what is wrong, as a clause.
	Reason string
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
	mediaType, artifactType := m.MediaType, m.ArtifactType
	if mediaType == "" {
		mediaType = "no media type"
	}
	if artifactType == "" {
		artifactType = "no artifact type"
	}
	return fmt.Sprintf("%s (%s, %s)", m.Digest, redact.Line(mediaType, maxQuoted), redact.Line(artifactType, maxQuoted))
}

// ParsePlatform parses os/arch or os/arch/variant by the rules and with the
// aliases of github.com/containerd/platforms. The version of the operating system
// goes in parentheses, as in "windows(10.0.20348)/amd64", and may be any text. An
// operating system or an architecture alone is an error, because its meaning
// would depend on the machine.
func ParsePlatform(s string) (ocispec.Platform, error) {
	name, version := s, ""
	if system, rest, ok := strings.Cut(s, "("); ok && !strings.Contains(system, "/") {
		if end := strings.LastIndex(rest, ")/"); end >= 0 {
			name, version = system+rest[end+1:], rest[:end]
		}
	}
	platform, err := platforms.Parse(name)
	if err != nil || !strings.Contains(name, "/") {
		return ocispec.Platform{}, errors.New(`must have the form os/arch or os/arch/variant, such as "linux/amd64" or "linux/arm/v7"`)
	}
	platform.OSVersion = version
	return platform, nil
}

// formatPlatform returns the platform as ParsePlatform reads it, with the version
// of the operating system.
func formatPlatform(platform ocispec.Platform) string {
	name := platforms.Format(platform)
	if system, rest, ok := strings.Cut(name, "/"); ok && platform.OSVersion != "" {
		return system + "(" + platform.OSVersion + ")/" + rest
	}
	return name
}

// isSelectable reports whether ParsePlatform can express the platform. It cannot
// for the unknown/unknown of an attestation. The version of the operating system
// does not matter.
func isSelectable(platform ocispec.Platform) bool {
	if platform.OS == "" || platform.OS == "unknown" || platform.Architecture == "" || platform.Architecture == "unknown" {
		return false
	}
	parsed, err := ParsePlatform(platforms.Format(platform))
	return err == nil && keyOf(parsed) == keyOf(platform)
}

// platformKey is what platforms that differ at most in the version of the
// operating system have in common.
type platformKey struct{ os, architecture, variant string }

func keyOf(platform ocispec.Platform) platformKey {
	normalized := platforms.Normalize(platform)
	return platformKey{normalized.OS, normalized.Architecture, normalized.Variant}
}

// matcher compares platforms with a requested one.
type matcher struct {
	platforms.MatchComparer
	// name is the platform as it was requested.
	name      string
	requested ocispec.Platform
}

// newMatcher returns a matcher by containerd's rules of what a machine can run,
// best first: linux/arm/v7 also takes v6 and v5. Two things differ. It keeps to
// the requested architecture, whatever else such a machine could run (386 on
// amd64, arm on arm64). And it compares the version of the operating system on
// every machine, while containerd does so on Windows only.
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
	requested = platforms.Normalize(requested)
	versionless := requested
	versionless.OSVersion = ""
	return &matcher{MatchComparer: platforms.Only(versionless), name: s, requested: requested}, nil
}

// Match reports whether the platform is one of those requested.
func (m *matcher) Match(platform ocispec.Platform) bool {
	version := m.requested.OSVersion
	return m.MatchComparer.Match(platform) &&
		platforms.Normalize(platform).Architecture == m.requested.Architecture &&
		(version == "" || platform.OSVersion == version || strings.HasPrefix(platform.OSVersion, version+"."))
}

// best returns the candidates that match best, in their order: none, one, or
// several that match equally well.
func (m *matcher) best(candidates []ocispec.Descriptor) []ocispec.Descriptor {
	var found, exact []ocispec.Descriptor
	for _, candidate := range candidates {
		switch {
		case !m.Match(*candidate.Platform):
		case len(found) == 0 || m.Less(*candidate.Platform, *found[0].Platform):
			found = []ocispec.Descriptor{candidate}
		case !m.Less(*found[0].Platform, *candidate.Platform):
			found = append(found, candidate)
		}
	}
	for _, candidate := range found {
		if candidate.Platform.OSVersion == m.requested.OSVersion {
			exact = append(exact, candidate)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return found
}

// choosePlatform returns the requested candidate, or the only one if requested is
// nil. Every candidate has a platform. Of several for the same platform it
// returns the first, as container runtimes do, but versions of an operating
// system are different platforms.
func choosePlatform(candidates []ocispec.Descriptor, requested *matcher) (ocispec.Descriptor, error) {
	found, failure := candidates, &PlatformError{}
	if requested != nil {
		found, failure.Requested = requested.best(candidates), requested.name
	}
	different := map[string]bool{}
	for _, candidate := range found {
		different[formatPlatform(platforms.Normalize(*candidate.Platform))] = true
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
		failure.Reason = "the image has several versions of the operating system for platform " + failure.Requested
		failure.Ambiguous = true
		failure.Available = formatPlatforms(found)
	}
	return ocispec.Descriptor{}, failure
}

// platformFormat returns a function that formats platforms as os/arch[/variant],
// with the version of the operating system only where two candidates have
// nothing else to tell them apart.
func platformFormat(candidates []ocispec.Descriptor) func(ocispec.Platform) string {
	versions, ambiguous := map[platformKey]string{}, map[platformKey]bool{}
	for _, candidate := range candidates {
		key := keyOf(*candidate.Platform)
		if version, ok := versions[key]; ok && version != candidate.Platform.OSVersion {
			ambiguous[key] = true
		}
		versions[key] = candidate.Platform.OSVersion
	}
	return func(platform ocispec.Platform) string {
		if ambiguous[keyOf(platform)] {
			return formatPlatform(platform)
		}
		return platforms.Format(platform)
	}
}

// formatPlatforms returns the platforms of candidates by platformFormat, each
// once, in their order.
func formatPlatforms(candidates []ocispec.Descriptor) []string {
	var formatted []string
	seen, format := map[string]bool{}, platformFormat(candidates)
	for _, candidate := range candidates {
		if name := format(*candidate.Platform); !seen[name] {
			seen[name] = true
			formatted = append(formatted, name)
		}
	}
	return formatted
}
