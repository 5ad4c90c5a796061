// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
)

// ImageURI is the URI of an image in a private ECR registry or, with neither tag
// nor digest, of a repository.
type ImageURI struct {
	// RegistryID is the AWS account that owns the registry: 12 digits.
	RegistryID string
	// Region is the registry's region.
	Region string
	// DNSSuffix is what follows the region in the registry host, such as
	// "amazonaws.com", or "on.aws" of a dual-stack (IPv4 and IPv6) endpoint.
	DNSSuffix string
	// FIPS is whether the registry host is a FIPS endpoint.
	FIPS bool
	// RepositoryName is the repository's name, such as "team/app".
	RepositoryName string
	// Tag is empty if the URI has none.
	Tag string
	// Digest is empty if the URI has none.
	Digest digest.Digest
}

var (
	registryHost = lazily(`^([^.]*)\.(dkr[.-]ecr(?:-fips)?)\.([^.]*)\.(.*)$`)
	scheme       = lazily(`^[a-zA-Z][a-zA-Z0-9+.-]*://`)
)

// publicHosts are the registry hosts of ECR Public, the second one dual-stack.
var publicHosts = []string{"public.ecr.aws", "ecr-public.aws.com"}

// ParseImageURI parses a URI in a private ECR registry:
//
//	<account>.dkr.ecr.<region>.<suffix>/<repository>[:<tag>][@<digest>]
//
// It knows the FIPS and dual-stack forms of the registry host and the suffixes of
// every AWS partition. A scheme ("oci://", "docker://") is an error: tools put one
// before image URIs, which have none. String returns what ParseImageURI accepts,
// unchanged.
func ParseImageURI(s string) (ImageURI, error) {
	if found := scheme().FindString(s); found != "" {
		return ImageURI{}, fmt.Errorf("an image URI must not have a scheme: remove %q", found)
	}
	host, path, _ := strings.Cut(s, "/")
	uri, err := parseRegistryHost(host, path)
	if err != nil {
		return ImageURI{}, err
	}

	rest, imageDigest, hasDigest := strings.Cut(path, "@")
	name, tag, hasTag := strings.Cut(rest, ":")
	if name == "" {
		return ImageURI{}, fmt.Errorf("no repository name follows the registry host %q", host)
	}
	if err := ValidateRepositoryName(name); err != nil {
		return ImageURI{}, fmt.Errorf("%q is not a repository name: it %w", name, err)
	}
	uri.RepositoryName = name
	if hasTag {
		if err := ValidateImageTag(tag); err != nil {
			return ImageURI{}, fmt.Errorf("%q is not a tag: it %w", tag, err)
		}
		uri.Tag = tag
	}
	if hasDigest {
		if uri.Digest, err = ParseLayerDigest(imageDigest); err != nil {
			return ImageURI{}, fmt.Errorf("%q is not a digest: it %w", imageDigest, err)
		}
	}
	return uri, nil
}

// String returns the URI, as ParseImageURI parses it.
func (u ImageURI) String() string {
	var b strings.Builder
	b.WriteString(u.RegistryID + "." + hostLabel(u.DNSSuffix, u.FIPS) + "." + u.Region + "." + u.DNSSuffix + "/" + u.RepositoryName)
	if u.Tag != "" {
		b.WriteString(":" + u.Tag)
	}
	if u.Digest != "" {
		b.WriteString("@" + u.Digest.String())
	}
	return b.String()
}

// parseRegistryHost parses the host of a private ECR registry. It uses path, which
// follows the host, only for a better error.
func parseRegistryHost(host, path string) (ImageURI, error) {
	if slices.Contains(publicHosts, host) {
		return ImageURI{}, fmt.Errorf("%s is Amazon ECR Public, which has no GetDownloadUrlForLayer: only images in a private registry "+
			"(<account>.dkr.ecr.<region>.amazonaws.com) have download URLs", host)
	}
	parts := registryHost().FindStringSubmatch(host)
	switch {
	case parts == nil && isRepository(host, path):
		return ImageURI{}, errors.New("the image URI must begin with a registry host, <account>.dkr.ecr.<region>.amazonaws.com/, " +
			"as the repository_url of an aws_ecr_repository does")
	case parts == nil:
		return ImageURI{}, fmt.Errorf("%q is not the host of a private ECR registry, which has the form "+
			"<account>.dkr.ecr.<region>.amazonaws.com or <account>.dkr-ecr.<region>.on.aws", host)
	}

	uri := ImageURI{RegistryID: parts[1], Region: parts[3], DNSSuffix: parts[4], FIPS: strings.HasSuffix(parts[2], "-fips")}
	if err := ValidateRegistryID(uri.RegistryID); err != nil {
		return ImageURI{}, fmt.Errorf("the registry host must begin with an AWS account ID of 12 digits, got %q", uri.RegistryID)
	}
	if err := ValidateRegion(uri.Region); err != nil {
		return ImageURI{}, fmt.Errorf("%q is not a region: it %w", uri.Region, err)
	}
	if suffixes := registrySuffixes(uri.Region); !slices.Contains(suffixes, uri.DNSSuffix) {
		return ImageURI{}, fmt.Errorf("the host of a registry in region %s must end in %s, got %q", uri.Region, strings.Join(suffixes, " or "), uri.DNSSuffix)
	}
	if label := hostLabel(uri.DNSSuffix, uri.FIPS); label != parts[2] {
		return ImageURI{}, fmt.Errorf("a registry host that ends in %s must have %q after the account, got %q", uri.DNSSuffix, label, parts[2])
	}
	return uri, nil
}

// isRepository reports whether host, with path after it, is the beginning of a
// repository name instead of a host. With a path, Docker's rule for references
// decides; without one, only ECR's own hosts count.
func isRepository(host, path string) bool {
	return path == "" || (!strings.ContainsAny(host, ".:") && host != "localhost")
}

// dualStack begins the suffix of every dual-stack registry host.
const dualStack = "on."

func hostLabel(suffix string, fips bool) string {
	label := "dkr.ecr"
	if strings.HasPrefix(suffix, dualStack) {
		label = "dkr-ecr"
	}
	if fips {
		label += "-fips"
	}
	return label
}

// partition is an AWS partition, as the names and the registry hosts of its regions
// show it.
type partition struct {
	// region begins the names of its regions.
	region string
	// suffixes are the DNS suffixes of its registries: IPv4 first, then dual-stack.
	suffixes []string
}

// partitions are all but the standard one.
//
// See https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
var partitions = []partition{
	{"cn-", []string{"amazonaws.com.cn", "on.amazonwebservices.com.cn"}},
	{"us-gov-", []string{"amazonaws.com", "on.aws"}},
	{"eusc-", []string{"amazonaws.eu", "on.amazonwebservices.eu"}},
	{"us-iso-", []string{"c2s.ic.gov", "on.aws.ic.gov"}},
	{"us-isob-", []string{"sc2s.sgov.gov", "on.aws.scloud"}},
	{"eu-isoe-", []string{"cloud.adc-e.uk", "on.cloud-aws.adc-e.uk"}},
	{"us-isof-", []string{"csp.hci.ic.gov", "on.aws.hci.ic.gov"}},
}

// registrySuffixes returns the DNS suffixes of the registries in region, IPv4 first,
// then dual-stack.
func registrySuffixes(region string) []string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.region) {
			return p.suffixes
		}
	}
	return []string{"amazonaws.com", "on.aws"}
}

// imageURI returns the URI of an image by digest.
func imageURI(repo Repository, imageDigest digest.Digest) ImageURI {
	return ImageURI{
		RegistryID:     repo.RegistryID,
		Region:         repo.Region,
		DNSSuffix:      registrySuffixes(repo.Region)[0],
		RepositoryName: repo.Name,
		Digest:         imageDigest,
	}
}

// DualStack returns the URI with a registry host that has IPv6 addresses, too.
func (u ImageURI) DualStack() ImageURI {
	u.DNSSuffix = registrySuffixes(u.Region)[1]
	return u
}
