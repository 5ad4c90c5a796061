// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	// The algorithms of digests, linked in so that go-digest knows them.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/opencontainers/go-digest"
)

// The patterns of the ECR API model, version 2015-09-21, and for tags the grammar
// of the OCI distribution specification, which is narrower.
var (
	repositoryName = lazily(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	registryID     = lazily(`^[0-9]{12}$`)
	region         = lazily(`^[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}$`)
	imageTag       = lazily(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// lazily returns a regular expression that is compiled at its first use: Terraform
// starts a provider several times per run, and most of these processes use few of
// them or none.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// ValidateRepositoryName returns an error that says what is wrong with a
// repository name, by the pattern and the length (2 to 256) of the ECR API model.
func ValidateRepositoryName(name string) error {
	switch {
	case len(name) < 2 || len(name) > 256:
		return fmt.Errorf("must have 2 to 256 characters, not %d", len(name))
	case !repositoryName().MatchString(name):
		return errors.New("must consist of lowercase letters and digits, separated by single periods, one or two underscores, " +
			"hyphens or slashes, without a registry host, tag or digest")
	}
	return nil
}

// ValidateRegistryID returns an error if id is not an AWS account ID of 12 digits.
func ValidateRegistryID(id string) error {
	if !registryID().MatchString(id) {
		return errors.New("must be an AWS account ID: exactly 12 digits, in quotes to keep leading zeros")
	}
	return nil
}

// ValidateRegion returns an error if name does not have the form of an AWS region
// code. It does not check that the region exists.
func ValidateRegion(name string) error {
	if !region().MatchString(name) {
		return errors.New(`must be a region code, such as "us-east-1"`)
	}
	return nil
}

// ValidateImageTag returns an error that says what is wrong with a tag.
//
// See https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
func ValidateImageTag(tag string) error {
	if !imageTag().MatchString(tag) {
		return errors.New("must have 1 to 128 letters, digits, underscores, periods and hyphens, and must not begin with a period or hyphen")
	}
	return nil
}

// ParseLayerDigest returns s as a digest: sha256 and sha512, which the OCI image
// specification registers, and go-digest's sha384, in lowercase hexadecimal of
// the algorithm's length.
//
// See https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
func ParseLayerDigest(s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	switch {
	case errors.Is(err, digest.ErrDigestUnsupported):
		return "", errors.New("must have the algorithm sha256, sha384 or sha512")
	case errors.Is(err, digest.ErrDigestInvalidLength):
		return "", errors.New("must have 64 hexadecimal digits for sha256, 96 for sha384 or 128 for sha512")
	case err != nil:
		return "", errors.New(`must be an algorithm, a colon and lowercase hexadecimal digits: "sha256:" and 64 digits`)
	}
	return d, nil
}
