// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/hashicorp/aws-sdk-go-base/v2/endpoints"
	"github.com/opencontainers/go-digest"
)

// ImageURI is the address of an image in a private ECR registry, or that of a
// repository if it has neither tag nor digest.
type ImageURI struct {
	// RegistryID is the AWS account that owns the registry: 12 digits.
	RegistryID string
	// Region is where the registry is.
	Region string
	// DNSSuffix is what follows the region in the host name, such as
	// "amazonaws.com", or "on.aws" of a dual-stack (IPv4 and IPv6) endpoint.
	DNSSuffix string
	// FIPS is whether the host name is that of a FIPS endpoint.
	FIPS bool
	// RepositoryName is the repository's name, such as "team/app".
	RepositoryName string
	// Tag is empty if the address has none.
	Tag string
	// Digest is empty if the address has none.
	Digest digest.Digest
}

var (
	// The grammar of the OCI distribution specification, version 1.1.
	imageTag = lazily(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

	registryHost = lazily(`^([^.]*)\.(dkr[.-]ecr(?:-fips)?)\.([^.]*)\.(.*)$`)
	scheme       = lazily(`^[a-zA-Z][a-zA-Z0-9+.-]*://`)
)

// The hosts of ECR Public, the second with IPv6.
var publicHosts = []string{"public.ecr.aws", "ecr-public.aws.com"}

// ValidateImageTag returns an error that says what is wrong with a tag, by the
// grammar of the OCI distribution specification.
//
// See https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
func ValidateImageTag(tag string) error {
	if !imageTag().MatchString(tag) {
		return errors.New("a tag has 1 to 128 letters, digits, underscores, periods and hyphens, and begins with neither of the last two")
	}
	return nil
}

// ParseImageURI returns the parts of an address in a private ECR registry:
//
//	<account>.dkr.ecr.<region>.<suffix>/<repository>[:<tag>][@<digest>]
//
// It knows the FIPS and the dual-stack forms of the host name and the suffixes
// of every AWS partition. A scheme is an error: those that tools put before
// such an address ("oci://", "docker://") are the tools' own, and ECR's
// addresses have none. String gives back what ParseImageURI accepts, unchanged.
func ParseImageURI(s string) (ImageURI, error) {
	if found := scheme().FindString(s); found != "" {
		return ImageURI{}, fmt.Errorf("an image URI has no scheme: leave out %q", found)
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
		return ImageURI{}, fmt.Errorf("%q is not a repository name: %w", name, err)
	}
	uri.RepositoryName = name
	if hasTag {
		if err := ValidateImageTag(tag); err != nil {
			return ImageURI{}, fmt.Errorf("%q is not a tag: %w", tag, err)
		}
		uri.Tag = tag
	}
	if hasDigest {
		if uri.Digest, err = ParseLayerDigest(imageDigest); err != nil {
			return ImageURI{}, fmt.Errorf("%q is not a digest: %w", imageDigest, err)
		}
	}
	return uri, nil
}

// String returns the address, as ParseImageURI reads it.
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

// parseRegistryHost returns what the host name of a private ECR registry tells.
// path, what follows the host, is looked at only to say better what is wrong.
func parseRegistryHost(host, path string) (ImageURI, error) {
	if slices.Contains(publicHosts, host) {
		return ImageURI{}, fmt.Errorf("%s is Amazon ECR Public, which has no GetDownloadUrlForLayer: only images in a private registry "+
			"(<account>.dkr.ecr.<region>.amazonaws.com) have download URLs", host)
	}
	parts := registryHost().FindStringSubmatch(host)
	switch {
	case parts == nil && isRepository(host, path):
		return ImageURI{}, errors.New("there is no registry host before the repository name: an image URI begins with " +
			"<account>.dkr.ecr.<region>.amazonaws.com/, as the repository_url of an aws_ecr_repository does")
	case parts == nil:
		return ImageURI{}, fmt.Errorf("%q is not the host of a private ECR registry, which has the form "+
			"<account>.dkr.ecr.<region>.amazonaws.com or <account>.dkr-ecr.<region>.on.aws", host)
	}

	uri := ImageURI{RegistryID: parts[1], Region: parts[3], DNSSuffix: parts[4], FIPS: strings.HasSuffix(parts[2], "-fips")}
	if err := ValidateRegistryID(uri.RegistryID); err != nil {
		return ImageURI{}, fmt.Errorf("the host begins with %q, which is not a registry id: an AWS account id of 12 digits", uri.RegistryID)
	}
	if err := ValidateRegion(uri.Region); err != nil {
		return ImageURI{}, fmt.Errorf("%q is not a region: %w", uri.Region, err)
	}
	if err := checkSuffix(uri.Region, uri.DNSSuffix); err != nil {
		return ImageURI{}, err
	}
	if label := hostLabel(uri.DNSSuffix, uri.FIPS); label != parts[2] {
		return ImageURI{}, fmt.Errorf("a host that ends in %s has %q after the account, not %q", uri.DNSSuffix, label, parts[2])
	}
	return uri, nil
}

// isRepository reports whether host, with path after it, is no host but the
// beginning of a repository name. A host before a path is told by the rule of
// Docker's references; without a path, only ECR's own hosts look like one.
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

// partitionSuffixes returns, by the id of each AWS partition, the DNS suffixes
// of its registries: IPv4 first, then dual-stack. The SDK has the latter only
// as that of the API's endpoints: "api.aws" where a registry has "on.aws".
var partitionSuffixes = sync.OnceValue(func() map[string][]string {
	suffixes := map[string][]string{}
	for _, partition := range endpoints.DefaultPartitions() {
		suffixes[partition.ID()] = []string{partition.DNSSuffix()}
		for region := range partition.Regions() {
			endpoint, err := ecr.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(),
				ecr.EndpointParameters{Region: aws.String(region), UseDualStack: aws.Bool(true)})
			if err != nil {
				break
			}
			if _, rest, ok := strings.Cut(endpoint.URI.Host, "."+region+".api."); ok {
				suffixes[partition.ID()] = append(suffixes[partition.ID()], dualStack+rest)
			}
			break
		}
	}
	return suffixes
})

// checkSuffix returns an error if suffix is not that of a registry in region. A
// region of which the SDK does not know the partition may have any partition's.
func checkSuffix(region, suffix string) error {
	if partition, ok := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), region); ok {
		if own := partitionSuffixes()[partition.ID()]; !slices.Contains(own, suffix) {
			return fmt.Errorf("the host of a registry in region %s ends in %s, not in %q", region, strings.Join(own, " or "), suffix)
		}
		return nil
	}
	for _, suffixes := range partitionSuffixes() {
		if slices.Contains(suffixes, suffix) {
			return nil
		}
	}
	return fmt.Errorf("the host of a registry does not end in %q: %q is the suffix of no AWS partition", suffix, suffix)
}

// imageURI returns the URI of an image by digest.
func imageURI(repo Repository, imageDigest digest.Digest) ImageURI {
	return ImageURI{
		RegistryID:     repo.RegistryID,
		Region:         repo.Region,
		DNSSuffix:      registrySuffix(repo.Region),
		RepositoryName: repo.Name,
		Digest:         imageDigest,
	}
}

// registrySuffix returns the DNS suffix of the registries in region, the
// standard partition's if the SDK does not know the region's.
func registrySuffix(region string) string {
	partition, ok := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), region)
	if !ok {
		return partitionSuffixes()[endpoints.AwsPartitionID][0]
	}
	return partition.DNSSuffix()
}
