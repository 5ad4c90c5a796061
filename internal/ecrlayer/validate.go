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

// The rules of the ECR API model, version 2015-09-21.
var (
	repositoryName = lazily(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	registryID     = lazily(`^[0-9]{12}$`)
	region         = lazily(`^[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}$`)
)

// lazily returns a regular expression that is compiled when it is first needed.
// Terraform starts a provider several times in a run, and most of these processes
// need few of them or none.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// ValidateRepositoryName returns an error that says what is wrong with a
// repository name, by the pattern and the length (2 to 256) of the ECR API model.
func ValidateRepositoryName(name string) error {
	switch {
	case len(name) < 2 || len(name) > 256:
		return fmt.Errorf("a repository name has 2 to 256 characters, this one has %d", len(name))
	case !repositoryName().MatchString(name):
		return errors.New("a repository name consists of lower-case letters and digits, separated by single periods, one or two underscores, " +
			"hyphens or slashes; it holds neither a registry host nor a tag or digest")
	}
	return nil
}

// ValidateRegistryID returns an error if id is not an AWS account id: 12 digits,
// by the ECR API model.
func ValidateRegistryID(id string) error {
	if !registryID().MatchString(id) {
		return errors.New("a registry id is an AWS account id: exactly 12 digits, in quotes so that leading zeros are kept")
	}
	return nil
}

// ValidateRegion returns an error if name does not have the form of an AWS
// region's name. Whether there is such a region it does not say.
func ValidateRegion(name string) error {
	if !region().MatchString(name) {
		return errors.New(`a region is given by its code, such as "us-east-1"`)
	}
	return nil
}

// ParseLayerDigest returns s as a digest. It accepts what the OCI image
// specification registers (sha256 and sha512) and go-digest's sha384: lower-case
// hexadecimal of the algorithm's length.
//
// See https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
func ParseLayerDigest(s string) (digest.Digest, error) {
	d, err := digest.Parse(s)
	switch {
	case errors.Is(err, digest.ErrDigestUnsupported):
		return "", errors.New("the algorithm of a digest is sha256, sha384 or sha512")
	case errors.Is(err, digest.ErrDigestInvalidLength):
		return "", errors.New("the hexadecimal part has the wrong length: 64 digits for sha256, 96 for sha384, 128 for sha512")
	case err != nil:
		return "", errors.New(`a digest is an algorithm, a colon and lower-case hexadecimal digits: "sha256:" and 64 digits`)
	}
	return d, nil
}
