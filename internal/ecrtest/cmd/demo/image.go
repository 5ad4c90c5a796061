// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// pushed is an image in the registry.
type pushed struct {
	image  v1.Image
	digest string
	layers []layer
}

type layer struct {
	digest string
	file   string
	size   int64
}

// push makes an image with a layer for each of the files and pushes it.
func push(ctx context.Context, reference string, files []string) (pushed, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return pushed{}, err
	}
	var result pushed
	var layers []v1.Layer
	for _, file := range files {
		content, err := archive(file)
		if err != nil {
			return pushed{}, err
		}
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
		if err != nil {
			return pushed{}, err
		}
		digest, err := l.Digest()
		if err != nil {
			return pushed{}, err
		}
		size, err := l.Size()
		if err != nil {
			return pushed{}, err
		}
		layers = append(layers, l)
		result.layers = append(result.layers, layer{digest: digest.String(), file: file, size: size})
	}
	result.image, err = mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return pushed{}, err
	}
	result.image, err = mutate.Config(result.image, v1.Config{Labels: map[string]string{"org.opencontainers.image.title": "demo"}})
	if err != nil {
		return pushed{}, err
	}
	digest, err := result.image.Digest()
	if err != nil {
		return pushed{}, err
	}
	result.digest = digest.String()
	if err := remote.Write(ref, result.image, remote.WithContext(ctx)); err != nil {
		return pushed{}, fmt.Errorf("pushing the image: %w", err)
	}
	return result, nil
}

// archive returns a tar archive of a file, or of all files below a folder.
func archive(root string) ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	err := filepath.WalkDir(root, func(file string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.ToSlash(filepath.Join("app", filepath.Base(root), strings.TrimPrefix(file, root))), Mode: 0o644, Size: int64(len(content))}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err != nil {
		return nil, err
	}
	return buffer.Bytes(), w.Close()
}
