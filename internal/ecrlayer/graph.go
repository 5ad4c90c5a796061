// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
)

// Graph is everything that an image consists of.
type Graph struct {
	// Repository is where the image is. RegistryID is ECR's, Region is always set.
	Repository Repository
	// ImageDigest is the digest that the reference resolves to.
	ImageDigest digest.Digest
	// Manifests are the manifest of the requested platform or, without one, what
	// ImageDigest identifies and all manifests and indexes below it, each once. Entries
	// of an index with a media type that is unknown are left out, because that must not
	// be an error (https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md).
	Manifests []GraphManifest
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

// maxManifests is the most bytes of all manifests of an image.
const maxManifests = 8 * MaxManifestSize

// ResolveImage returns the digest that ref resolves to, and the repository with ECR's
// registry ID, by one call of BatchGetImage. The error is a *CallError.
func (c *Client) ResolveImage(ctx context.Context, repo Repository, ref ImageReference) (Repository, digest.Digest, error) {
	found, err := c.getManifest(ctx, repo, ref)
	if err != nil {
		return repo, "", err
	}
	return found.repository, found.digest, nil
}

// Graph reads all manifests of an image or, if platform is not empty, that of the
// platform. It makes one call of BatchGetImage, and one more per 100 manifests that an
// index names, or the calls of [Client.Image]. The errors are those of [Client.Image].
func (c *Client) Graph(ctx context.Context, repo Repository, ref ImageReference, platform string) (*Graph, error) {
	requested, err := newMatcher(platform)
	if err != nil {
		return nil, err
	}
	root, err := c.getManifest(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	if root.isIndex() && len(root.Manifests) == 0 {
		return nil, root.call.fail(&EmptyIndexError{Reason: noManifest})
	}
	g := &Graph{Repository: root.repository, ImageDigest: root.digest}
	if requested != nil {
		found, err := c.selectManifest(ctx, repo, root, requested)
		if err != nil {
			return nil, err
		}
		if found.unverified != nil {
			if _, err := c.getConfig(ctx, repo, found); err != nil {
				return nil, err
			}
		}
		root = found.manifest
	}
	var (
		blobs = map[digest.Digest]Descriptor{}
		seen  = map[digest.Digest]bool{root.digest: true}
		bytes = 0
		level = []*foundManifest{root}
	)
	for depth := 1; len(level) > 0; depth++ {
		var entries []candidate
		for _, m := range level {
			if bytes += len(m.content); bytes > maxManifests {
				return nil, m.call.fail(&BrokenImageError{Reason: fmt.Sprintf("the manifests of the image have more than %d bytes", maxManifests)})
			}
			g.Manifests = append(g.Manifests, GraphManifest{Descriptor{Digest: m.digest, MediaType: m.MediaType, Size: int64(len(m.content))}, m.content})
			if err := m.addBlobs(blobs); err != nil {
				return nil, m.call.fail(err)
			}
			for _, d := range m.Manifests {
				unknown := d.MediaType != "" && !isRequestable(d.MediaType)
				if !seen[d.Digest] && !unknown {
					seen[d.Digest] = true
					entries = append(entries, candidate{Descriptor: d, index: m})
				}
			}
			if len(entries) > 0 && depth > maxIndexLevels {
				return nil, m.tooDeep()
			}
		}
		if level, err = c.getEntries(ctx, repo, entries); err != nil {
			return nil, err
		}
	}
	g.Blobs = slices.SortedFunc(maps.Values(blobs), func(a, b Descriptor) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Digest, b.Digest))
	})
	return g, nil
}

// getEntries returns the manifests that indexes name. The errors are those of
// [Client.Image].
func (c *Client) getEntries(ctx context.Context, repo Repository, entries []candidate) ([]*foundManifest, error) {
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
		if err := results[i].err; err != nil {
			return nil, missing(&entry, err)
		}
		found[i] = results[i].foundManifest
		if size := int64(len(found[i].content)); size != entry.Size {
			return nil, found[i].call.fail(&BrokenImageError{Reason: fmt.Sprintf("the manifest has %d bytes, and %d according to the index", size, entry.Size)})
		}
	}
	return found, nil
}

// addBlobs adds the config and the layers of an image manifest, but not foreign
// layers. The error is a *BrokenImageError.
func (m *manifest) addBlobs(blobs map[digest.Digest]Descriptor) error {
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
