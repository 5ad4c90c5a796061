// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
)

const graphConfig = `{"os":"linux","architecture":"amd64"}`

// entry returns an entry of an index for something that is in the registry.
func (r *imageRegistry) entry(t *testing.T, d digest.Digest, mediaType types.MediaType) map[string]any {
	t.Helper()
	graph, err := r.client.Graph(t.Context(), inTestRepository, ecrlayer.ImageReference{Digest: d}, "")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"mediaType": mediaType, "digest": d, "size": graph.Manifests[0].Size}
}

func TestGraph(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t)
	var images []digest.Digest
	var entries []map[string]any
	for i := range 150 { // more than one call returns
		image := r.putImage(t, "", fmt.Appendf(nil, `{"os":"linux","architecture":"amd64","author":"%d"}`, i), nil)
		images = append(images, image)
		entries = append(entries, r.entry(t, image, types.OCIManifestSchema1))
	}
	inner := r.index(t, "", entries[:2]...)
	middle := r.index(t, "", r.entry(t, inner, types.OCIImageIndex))
	unknown := map[string]any{"mediaType": "application/vnd.example+json", "digest": digest.FromString("unknown"), "size": 7}
	root := r.index(t, "v1", append(slices.Clone(entries), entries[0], unknown, r.entry(t, middle, types.OCIImageIndex))...)
	before := len(r.operations())

	graph, err := r.client.Graph(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "v1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(images), root, middle, inner)
	var got []digest.Digest
	size := int64(0)
	for _, m := range graph.Manifests {
		got = append(got, m.Digest)
		size += m.Size
		if digest.FromString(m.Content) != m.Digest || int64(len(m.Content)) != m.Size || m.MediaType == "" {
			t.Errorf("a manifest is %+v", m)
		}
	}
	if got[0] != root || graph.ImageDigest != root || graph.Repository.RegistryID != testAccount {
		t.Errorf("the graph is of %s, %s in %+v", got[0], graph.ImageDigest, graph.Repository)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d manifests, want %d", len(got), len(want))
	}
	for i, blob := range graph.Blobs {
		size += blob.Size
		if i > 0 && blob.Size > graph.Blobs[i-1].Size {
			t.Error("the blobs are not sorted by size")
		}
	}
	if len(graph.Blobs) != len(images) || graph.Size() != size {
		t.Errorf("%d blobs, want %d; %d bytes, want %d", len(graph.Blobs), len(images), graph.Size(), size)
	}
	// The root, 151 entries of it (150 images and an index), and one per index in it.
	if calls := r.operations()[before:]; len(calls) != 1+2+1 {
		t.Errorf("the calls are %v", calls)
	}
}

func TestGraphErrors(t *testing.T) {
	t.Parallel()
	r := newImageRegistry(t)
	image := r.putImage(t, "image", []byte(graphConfig), nil)
	entry := r.entry(t, image, types.OCIManifestSchema1)
	gone := digest.FromString("gone")
	config := map[string]any{"mediaType": types.OCIConfigJSON, "digest": digest.FromString(graphConfig), "size": len(graphConfig)}
	layer := func(size int) map[string]any {
		return map[string]any{"mediaType": types.OCILayer, "digest": digest.FromString("layer"), "size": size}
	}
	level := entry
	for range 4 {
		level = map[string]any{"mediaType": types.OCIImageIndex, "digest": r.index(t, "deep", level), "size": 0}
		graph, err := r.client.Graph(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: "deep"}, "")
		if err != nil {
			break // It is too deep now.
		}
		level["size"] = graph.Manifests[0].Size
	}
	r.index(t, "missing", entry, map[string]any{"mediaType": types.OCIManifestSchema1, "digest": gone, "size": 1, "platform": map[string]string{"os": "linux", "architecture": "arm64"}})
	r.index(t, "empty")
	r.index(t, "size", map[string]any{"mediaType": types.OCIManifestSchema1, "digest": image, "size": 1})
	r.put(t, "sizes", types.OCIManifestSchema1, map[string]any{
		"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "config": config, "layers": []any{layer(1), layer(2)},
	})
	tests := map[string]struct {
		tag, platform, want string
	}{
		"too deep":                 {"deep", "", "indexes are nested more than 3 levels deep"},
		"missing manifest":         {"missing", "", gone.String() + " for platform linux/arm64, which is not in the repository"},
		"no manifest":              {"empty", "", "the index lists no manifest"},
		"wrong size of a manifest": {"size", "", "and 1 according to the index"},
		"two sizes of a layer":     {"sizes", "", "the sizes 1 and 2"},
		"another platform":         {"image", "linux/s390x", "linux/s390x"},
		"no such tag":              {"gone", "", "ImageNotFound"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := r.client.Graph(t.Context(), inTestRepository, ecrlayer.ImageReference{Tag: test.tag}, test.platform)
			if _, ok := errors.AsType[*ecrlayer.CallError](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
}
