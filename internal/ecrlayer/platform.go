// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// PlatformError is a choice of platform that an image does not allow.
type PlatformError struct {
	// Asked is the platform that was asked for, empty if none was.
	Asked string
	// Available is what can be asked for instead.
	Available []string
	// Reason says what is wrong, as a clause.
	Reason string
}

// Error returns the reason and the platforms that there are.
func (e *PlatformError) Error() string {
	if len(e.Available) == 0 {
		return e.Reason
	}
	return e.Reason + "; its platforms are " + strings.Join(e.Available, ", ")
}

// ParsePlatform returns the platform that s names: os/arch or os/arch/variant,
// by the rules and with the aliases of github.com/containerd/platforms. An
// operating system's version goes in brackets: "windows(10.0.20348)/amd64". It
// takes neither an operating system nor an architecture alone: what they mean
// would depend on the machine that asks.
func ParsePlatform(s string) (ocispec.Platform, error) {
	platform, err := platforms.Parse(s)
	if err != nil || !strings.Contains(s, "/") {
		return ocispec.Platform{}, errors.New(`a platform is given as os/arch or os/arch/variant, such as "linux/amd64" or "linux/arm/v7"`)
	}
	return platform, nil
}

// matcher compares platforms with one that is asked for.
type matcher struct {
	platforms.MatchComparer
	// name is the platform as it was asked for.
	name  string
	asked ocispec.Platform
}

// newMatcher returns a matcher by containerd's rules of what a machine can run,
// best first: linux/arm/v7 takes v6 and v5 too. Two things differ. It keeps to
// the architecture asked for, whatever else such a machine could run (386 on
// amd64, arm on arm64). And it compares the version of the operating system the
// same way on every machine, where containerd does so on Windows only.
//
// It returns nil, which asks for nothing, if s is empty.
func newMatcher(s string) (*matcher, error) {
	if s == "" {
		return nil, nil
	}
	asked, err := ParsePlatform(s)
	if err != nil {
		return nil, err
	}
	asked = platforms.Normalize(asked)
	versionless := asked
	versionless.OSVersion = ""
	return &matcher{MatchComparer: platforms.Only(versionless), name: s, asked: asked}, nil
}

// Match reports whether platform is one that is asked for.
func (m *matcher) Match(platform ocispec.Platform) bool {
	version := m.asked.OSVersion
	return m.MatchComparer.Match(platform) &&
		platforms.Normalize(platform).Architecture == m.asked.Architecture &&
		(version == "" || platform.OSVersion == version || strings.HasPrefix(platform.OSVersion, version+"."))
}

// best returns those of the candidates that match best: none, one, or several
// that are equally good, in their order.
func (m *matcher) best(candidates []ocispec.Descriptor) []ocispec.Descriptor {
	var found []ocispec.Descriptor
	for _, candidate := range candidates {
		switch {
		case !m.Match(*candidate.Platform):
		case len(found) == 0 || m.Less(*candidate.Platform, *found[0].Platform):
			found = []ocispec.Descriptor{candidate}
		case !m.Less(*found[0].Platform, *candidate.Platform):
			found = append(found, candidate)
		}
	}
	return found
}

// choosePlatform returns the candidate that asked calls for, or the only one if
// asked is nil. Every candidate has a platform. Of several for one platform it
// takes the first, as container runtimes do; but an operating system in several
// versions is several platforms.
func choosePlatform(candidates []ocispec.Descriptor, asked *matcher) (ocispec.Descriptor, error) {
	found, failure := candidates, &PlatformError{Available: formatPlatforms(candidates)}
	if asked != nil {
		found, failure.Asked = asked.best(candidates), asked.name
	}
	different := map[string]bool{}
	for _, candidate := range found {
		different[platforms.FormatAll(platforms.Normalize(*candidate.Platform))] = true
	}
	switch {
	case len(different) == 1:
		return found[0], nil
	case len(different) == 0:
		failure.Reason = "the image is not for platform " + failure.Asked
	case asked == nil:
		failure.Reason = "the image is for several platforms and none was asked for"
	default:
		failure.Reason = "the image is for several versions of the operating system in platform " + failure.Asked
		failure.Available = formatPlatforms(found)
	}
	return ocispec.Descriptor{}, failure
}

// formatPlatforms returns the platforms of descriptors as os/arch[/variant], each
// once, in their order. The operating system's version is in it only where two
// have nothing else to tell them apart.
func formatPlatforms(descriptors []ocispec.Descriptor) []string {
	versions := map[string][]string{}
	for _, descriptor := range descriptors {
		short := platforms.Format(*descriptor.Platform)
		if !slices.Contains(versions[short], descriptor.Platform.OSVersion) {
			versions[short] = append(versions[short], descriptor.Platform.OSVersion)
		}
	}
	var formatted []string
	for _, descriptor := range descriptors {
		name := platforms.Format(*descriptor.Platform)
		if len(versions[name]) > 1 {
			name = platforms.FormatAll(*descriptor.Platform)
		}
		if !slices.Contains(formatted, name) {
			formatted = append(formatted, name)
		}
	}
	return formatted
}
