// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package ecrlayer

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// imageWithLayers returns an image with this number of layers.
func imageWithLayers(layers int) *Image {
	image := &Image{Config: Descriptor{Digest: digest.FromString("config")}}
	for n := range layers {
		image.Layers = append(image.Layers, Descriptor{Digest: digest.FromString(fmt.Sprint("layer ", n))})
	}
	return image
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	first, second := digest.FromString("diff 0"), digest.FromString("diff 1")
	tests := map[string]struct {
		layers  int
		content string
		want    ImageConfig
	}{
		"everything": {
			layers: 2,
			content: `{
				"architecture": "arm64", "os": "linux", "variant": "v8", "author": "somebody", "created": "2026-02-03T04:05:06.789Z",
				"config": {
					"Labels": {"org.opencontainers.image.revision": "abc", "empty": ""},
					"Env": ["PATH=/usr/bin:/bin", "A=b=c", "EMPTY=", "BARE", "TWICE=1", "TWICE=2", "=nameless", ""],
					"Entrypoint": ["/init", "--"], "Cmd": ["serve"], "User": "1000:1000", "WorkingDir": "/srv",
					"ExposedPorts": {"8080/tcp": {}, "53/udp": {}}, "Volumes": {"/data": {}, "/cache": {}}, "StopSignal": "SIGINT"
				},
				"rootfs": {"type": "layers", "diff_ids": ["` + first.String() + `", "` + second.String() + `"]}
			}`,
			want: ImageConfig{
				Architecture: "arm64", OS: "linux", Variant: "v8", Author: "somebody",
				Created:    time.Date(2026, 2, 3, 4, 5, 6, 789000000, time.UTC),
				Labels:     map[string]string{"org.opencontainers.image.revision": "abc", "empty": ""},
				Env:        map[string]string{"PATH": "/usr/bin:/bin", "A": "b=c", "EMPTY": "", "BARE": "", "TWICE": "2"},
				Entrypoint: []string{"/init", "--"}, Cmd: []string{"serve"}, User: "1000:1000", WorkingDir: "/srv",
				ExposedPorts: []string{"53/udp", "8080/tcp"}, Volumes: []string{"/cache", "/data"}, StopSignal: "SIGINT",
				DiffIDs: []digest.Digest{first, second},
				Layers: []ConfigLayer{
					{Digest: digest.FromString("layer 0"), DiffID: first},
					{Digest: digest.FromString("layer 1"), DiffID: second},
				},
			},
		},
		"an empty object":     {content: `{}`},
		"null":                {content: `null`},
		"no config":           {content: `{"architecture":"amd64","os":"linux"}`, want: ImageConfig{Architecture: "amd64", OS: "linux"}},
		"a null config":       {content: `{"config":null,"rootfs":null,"history":null,"created":null}`},
		"an empty config":     {content: `{"config":{}}`},
		"null lists":          {content: `{"config":{"Env":null,"Entrypoint":null,"Cmd":null,"Labels":null,"ExposedPorts":null,"Volumes":null},"rootfs":{"type":"layers","diff_ids":null}}`},
		"a null port":         {content: `{"config":{"ExposedPorts":{"80/tcp":null}}}`, want: ImageConfig{ExposedPorts: []string{"80/tcp"}}},
		"Windows":             {content: `{"os":"windows","os.version":"10.0.20348.1","os.features":["win32k"]}`, want: ImageConfig{OS: "windows", OSVersion: "10.0.20348.1"}},
		"Docker's own fields": {content: `{"docker_version":"27.0","container":"c","id":"x","throwaway":true,"config":{"Hostname":"h","Tty":false,"OnBuild":null,"Healthcheck":{"Test":["NONE"]},"Shell":["sh"],"Image":"sha256:0"},"container_config":{"Cmd":["ignored"]}}`},
		"too few diff_ids": {
			layers:  2,
			content: `{"config":{"Labels":{"a":"b"}},"rootfs":{"diff_ids":["` + first.String() + `"]}}`,
			want: ImageConfig{
				Labels:  map[string]string{"a": "b"},
				DiffIDs: []digest.Digest{first},
				Layers:  []ConfigLayer{{Digest: digest.FromString("layer 0")}, {Digest: digest.FromString("layer 1")}},
			},
		},
		"too many diff_ids": {
			content: `{"rootfs":{"diff_ids":["` + first.String() + `"]}}`,
			want:    ImageConfig{DiffIDs: []digest.Digest{first}},
		},
		"no diff_ids": {
			layers:  1,
			content: `{}`,
			want:    ImageConfig{Layers: []ConfigLayer{{Digest: digest.FromString("layer 0")}}},
		},
		"history of empty layers": {
			layers:  1,
			content: `{"history":[{"created_by":"ENV","empty_layer":true},{"created":"2026-01-01T00:00:00Z"},{"empty_layer":true}],"rootfs":{"diff_ids":["` + first.String() + `"]}}`,
			want: ImageConfig{
				DiffIDs: []digest.Digest{first},
				Layers:  []ConfigLayer{{Digest: digest.FromString("layer 0"), DiffID: first}},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := imageWithLayers(test.layers)
			parsed, err := parseConfig([]byte(test.content))
			if err != nil {
				t.Fatal(err)
			}
			got := newImageConfig(parsed, image)
			test.want.Image, test.want.ConfigDigest, test.want.JSON = image, image.Config.Digest, test.content
			if len(got.Env) == 0 && len(test.want.Env) == 0 {
				got.Env = nil
			}
			if len(got.DiffIDs) == 0 {
				got.DiffIDs = nil
			}
			if !reflect.DeepEqual(*got, test.want) {
				t.Errorf("got  %+v\nwant %+v", *got, test.want)
			}
		})
	}
}

func TestParseConfigErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ content, want string }{
		"empty":                 {``, "cannot be read"},
		"not JSON":              {`<html>`, "cannot be read"},
		"truncated":             {`{"os":"lin`, "cannot be read"},
		"a number for a string": {`{"os":1}`, "cannot be read"},
		"an invalid date":       {`{"created":"yesterday"}`, "cannot be read"},
		"a long invalid date":   {`{"created":"` + strings.Repeat("x", 1<<20) + `"}`, "cannot be read"},
		"not UTF-8":             {"{\"os\":\"\xff\"}", "not valid UTF-8"},
		"an invalid diff_id":    {`{"rootfs":{"diff_ids":["sha256:x"]}}`, `"sha256:x", which is not a digest`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseConfig([]byte(test.content))
			var broken *BrokenImageError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 2*maxQuoted {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"architecture":"amd64","os":"linux","config":{"Env":["A=b","=","C"],"ExposedPorts":{"80/tcp":{}}},"rootfs":{"type":"layers","diff_ids":["`+digest.FromString("").String()+`"]}}`), uint8(1))
	f.Add([]byte(`{"config":null,"rootfs":null,"history":[{"empty_layer":true}]}`), uint8(0))
	f.Add([]byte(`{"rootfs":{"diff_ids":["sha256:x"]}}`), uint8(1))
	f.Add([]byte(`null`), uint8(0))
	f.Add([]byte(``), uint8(2))
	f.Fuzz(func(t *testing.T, content []byte, layers uint8) {
		parsed, err := parseConfig(content)
		if err != nil {
			checkReadError(t, err)
			return
		}
		config := newImageConfig(parsed, imageWithLayers(int(layers)))
		if len(config.Layers) != int(layers) || config.JSON != string(content) {
			t.Errorf("got %d layers, want %d, and the JSON %q", len(config.Layers), layers, config.JSON)
		}
		for i, layer := range config.Layers {
			if len(config.DiffIDs) != int(layers) {
				if layer.DiffID != "" {
					t.Errorf("layer %d has the diff_id %q, want none", i, layer.DiffID)
				}
			} else if err := layer.DiffID.Validate(); err != nil {
				t.Errorf("accepted the diff_id %q: %v", layer.DiffID, err)
			}
		}
		if !slices.IsSorted(config.ExposedPorts) || !slices.IsSorted(config.Volumes) {
			t.Errorf("ports or volumes are not sorted: %q, %q", config.ExposedPorts, config.Volumes)
		}
		if _, ok := config.Env[""]; ok {
			t.Error("Env has a variable without a name")
		}
	})
}
