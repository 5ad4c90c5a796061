// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Graph is everything that an image consists of.
type Graph struct {
	// Repository is where the image is. RegistryID is ECR's, Region is always set.
	Repository Repository
	// ImageDigest is the digest that the reference resolves to.
	ImageDigest digest.Digest
	// Manifests are the manifest of the requested platform, or what ImageDigest
	// identifies and all manifests and indexes below it, each once.
	Manifests []GraphManifest
	// Platform is that of Manifests[0], nil if no index says it.
	Platform *ocispec.Platform
	// Blobs are the configs and layers of all manifests, each once, largest first.
	// Foreign layers are left out.
	Blobs []Descriptor
}

// GraphManifest is a manifest or an index of a Graph.
type GraphManifest struct {
	Descriptor
	// Content is the manifest, byte for byte as ECR returned it.
	Content string
}

// Size returns the bytes of all manifests and blobs.
func (g *Graph) Size() int64 {
	var size int64
	for _, m := range g.Manifests {
		size += m.Size
	}
	for _, b := range g.Blobs {
		size += b.Size
	}
	return size
}

// Bounds of a Graph, because whoever pushes an image chooses how much must be read.
const (
	maxIndexDepth  = 3
	maxManifestSum = 8 * MaxManifestSize // bytes
)

// ResolveImage returns the digest that ref resolves to, and the repository with ECR's
// registry ID, by one call of BatchGetImage. The errors are those of [Client.Image].
func (c *Client) ResolveImage(ctx context.Context, repo Repository, ref ImageReference) (Repository, digest.Digest, error) {
	found, err := c.getManifest(ctx, repo, ref)
	if err != nil {
		return repo, "", err
	}
	return found.repository, found.digest, nil
}

// Graph reads all manifests of an image, or of one of its platforms if platform is
// not empty. It makes the calls of [Client.Image], and one call of BatchGetImage per
// 100 manifests that an index names. The errors are those of [Client.Image].
func (c *Client) Graph(ctx context.Context, repo Repository, ref ImageReference, platform string) (*Graph, error) {
	g, root, err := c.graphRoot(ctx, repo, ref, platform)
	if err != nil {
		return nil, err
	}
	var (
		blobs = map[digest.Digest]Descriptor{}
		seen  = map[digest.Digest]bool{root.digest: true}
		sum   = 0
		level = []*foundManifest{root}
	)
	for depth := 0; len(level) > 0; depth++ {
		var entries []graphEntry
		for _, m := range level {
			if sum += len(m.content); sum > maxManifestSum {
				return nil, &BrokenImageError{Reason: fmt.Sprintf("the manifests of the image have more than %d bytes", maxManifestSum)}
			}
			g.Manifests = append(g.Manifests, GraphManifest{Descriptor{Digest: m.digest, MediaType: m.MediaType, Size: int64(len(m.content))}, m.content})
			if err := m.addBlobs(blobs); err != nil {
				return nil, err
			}
			for _, d := range m.Manifests {
				if !seen[d.Digest] {
					seen[d.Digest] = true
					entries = append(entries, graphEntry{m.digest, d})
				}
			}
		}
		if len(entries) > 0 && depth == maxIndexDepth {
			return nil, &BrokenImageError{Reason: fmt.Sprintf("the indexes are nested more than %d deep", maxIndexDepth)}
		}
		if level, err = c.getEntries(ctx, g.Repository, entries); err != nil {
			return nil, err
		}
	}
	g.Blobs = slices.SortedFunc(maps.Values(blobs), func(a, b Descriptor) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Digest, b.Digest))
	})
	return g, nil
}

// graphRoot returns a Graph without manifests and blobs, and its first manifest.
func (c *Client) graphRoot(ctx context.Context, repo Repository, ref ImageReference, platform string) (*Graph, *foundManifest, error) {
	requested, err := newMatcher(platform)
	if err != nil {
		return nil, nil, err
	}
	found, err := c.getManifest(ctx, repo, ref)
	if err != nil {
		return nil, nil, err
	}
	g := &Graph{Repository: found.repository, ImageDigest: found.digest}
	if requested == nil {
		return g, found, nil
	}
	if found.isIndex() {
		chosen, err := found.choose(requested)
		if err != nil {
			return nil, nil, err
		}
		if found, err = c.getEntry(ctx, repo, found.digest, chosen); err != nil {
			return nil, nil, err
		}
		g.Platform = chosen.Platform
	}
	if g.Platform == nil {
		config, err := c.getConfig(ctx, repo, newDescriptor(*found.Config), found.artifactType())
		if err != nil {
			return nil, nil, err
		}
		if err := requested.checkConfig(config); err != nil {
			return nil, nil, err
		}
		g.Platform = &config.Platform
	}
	return g, found, nil
}

// graphEntry is what an index names.
type graphEntry struct {
	index digest.Digest
	ocispec.Descriptor
}

// getEntries returns the manifests that indexes name.
func (c *Client) getEntries(ctx context.Context, repo Repository, entries []graphEntry) ([]*foundManifest, error) {
	digests := make([]digest.Digest, len(entries))
	for i, entry := range entries {
		digests[i] = entry.Digest
	}
	results, err := c.getManifests(ctx, repo, digests)
	if err != nil {
		return nil, err
	}
	found := make([]*foundManifest, len(entries))
	for i, entry := range entries {
		var failure *ImageFailure
		switch err := results[i].err; {
		case errors.As(err, &failure) && failure.Code == types.ImageFailureCodeImageNotFound:
			missing := &MissingManifestError{Index: entry.index, Manifest: entry.Digest, err: err}
			if entry.Platform != nil {
				missing.Platform = formatPlatform(*entry.Platform)
			}
			return nil, missing
		case err != nil:
			return nil, err
		}
		found[i] = results[i].foundManifest
		if size := int64(len(found[i].content)); size != entry.Size {
			return nil, &BrokenImageError{Reason: fmt.Sprintf("the manifest %s has %d bytes, and %d according to the index", entry.Digest, size, entry.Size)}
		}
	}
	return found, nil
}

// addBlobs adds the config and the layers of an image manifest, but not foreign
// layers. The error is a *BrokenImageError.
func (m *foundManifest) addBlobs(blobs map[digest.Digest]Descriptor) error {
	named := m.Layers
	if m.Config != nil {
		named = append(slices.Clone(named), *m.Config)
	}
	for _, d := range named {
		blob := newDescriptor(d)
		if known, ok := blobs[d.Digest]; ok && known.Size != d.Size {
			return &BrokenImageError{Reason: fmt.Sprintf("the manifests give the blob %s the sizes %d and %d", d.Digest, known.Size, d.Size)}
		}
		if !blob.IsForeign() {
			blobs[d.Digest] = blob
		}
	}
	return nil
}
