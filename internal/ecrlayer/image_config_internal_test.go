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

// list returns a JSON list of empty strings.
func list(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`"",`, n), ",") + "]"
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
		"an empty object": {content: `{}`},
		"null":            {content: `null`},
		"no config":       {content: `{"architecture":"amd64","os":"linux"}`, want: ImageConfig{Architecture: "amd64", OS: "linux"}},
		"a null config":   {content: `{"config":null,"rootfs":null,"history":null,"created":null}`},
		"an empty config": {content: `{"config":{}}`},
		"null lists":      {content: `{"config":{"Env":null,"Entrypoint":null,"Cmd":null,"Labels":null,"ExposedPorts":null,"Volumes":null},"rootfs":{"type":"layers","diff_ids":null}}`},
		"a null port":     {content: `{"config":{"ExposedPorts":{"80/tcp":null}}}`, want: ImageConfig{ExposedPorts: []string{"80/tcp"}}},
		"Windows":         {content: `{"os":"windows","os.version":"10.0.20348.1","os.features":["win32k"]}`, want: ImageConfig{OS: "windows"}},
		"fields that no attribute shows": {
			content: `{"history":"none","os.version":1,"os.features":"x","docker_version":5,"container_config":[],"config":{"Labels":{"a":"b"},"Healthcheck":1,"ExposedPorts":{"80/tcp":1},"Hostname":[]},"rootfs":{"type":5}}`,
			want:    ImageConfig{Labels: map[string]string{"a": "b"}, ExposedPorts: []string{"80/tcp"}},
		},
		"two spellings of a key": {
			content: `{"config":{"Labels":{"a":"1"},"labels":{"c":"3"},"CMD":["x"]},"Config":{"Labels":{"b":"2"}},"OS":"plan9","Created":"yesterday"}`,
			want:    ImageConfig{Labels: map[string]string{"a": "1"}},
		},
		"a key twice": {
			content: `{"os":"plan9","os":"linux","config":{"Labels":{"a":"1"}},"config":{"Labels":{"b":"2","b":"3"}}}`,
			want:    ImageConfig{OS: "linux", Labels: map[string]string{"b": "3"}},
		},
		"a key that is escaped":       {content: `{"o\u0073":"linux"}`, want: ImageConfig{OS: "linux"}},
		"white space":                 {content: " { \"config\" : { \"Cmd\" : [ \"a\" ] } }\n", want: ImageConfig{Cmd: []string{"a"}}},
		"as many strings as are read": {content: `{"config":{"Cmd":` + list(maxStrings) + `}}`, want: ImageConfig{Cmd: make([]string, maxStrings)}},
		"Docker's own fields":         {content: `{"docker_version":"27.0","container":"c","id":"x","throwaway":true,"config":{"Hostname":"h","Tty":false,"OnBuild":null,"Healthcheck":{"Test":["NONE"]},"Shell":["sh"],"Image":"sha256:0"},"container_config":{"Cmd":["ignored"]}}`},
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
			test.want.Image, test.want.JSON = image, test.content
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
		"empty":                 {``, "it is not valid JSON: unexpected end of JSON input, at byte 0 of 0"},
		"blank":                 {" ", "it is not valid JSON: unexpected end of JSON input, at byte 1 of 1"},
		"not JSON":              {`<html>`, "it is not valid JSON: invalid character '<' looking for beginning of value, at byte 1 of 6"},
		"truncated":             {`{"os":"lin`, "it is not valid JSON"},
		"a list":                {` []`, "it must be an object, got a list"},
		"a string":              {`"x"`, "it must be an object, got a string"},
		"a byte order mark":     {"\ufeff{}", "byte order mark (BOM)"},
		"not UTF-8":             {"{\"os\":\"\xff\"}", "not valid UTF-8"},
		"os":                    {`{"os":1}`, "read: os must be a string, got 1"},
		"no time":               {`{"created":""}`, `read: created must be a time such as 2026-01-31T12:00:00Z, got ""`},
		"another time":          {`{"created":"2026-01-31 12:00"}`, `created must be a time such as 2026-01-31T12:00:00Z, got "2026-01-31 12:00"`},
		"a number as time":      {`{"created":1700000000}`, `created must be a time such as 2026-01-31T12:00:00Z, got 1700000000`},
		"a long time":           {`{"created":"` + strings.Repeat("x", 1<<20) + `"}`, "xxx…"},
		"config":                {`{"config":[]}`, "read: config must be an object, got a list"},
		"Cmd":                   {`{"config":{"Cmd":"a"}}`, "config.Cmd must be a list of strings, got a string"},
		"Cmd of numbers":        {`{"config":{"Cmd":["a",1]}}`, "config.Cmd must be a list of strings, got a list with a number"},
		"Cmd of lists":          {`{"config":{"Cmd":["a",["b"]]}}`, "config.Cmd must be a list of strings, got a list with a list"},
		"Entrypoint":            {`{"config":{"Entrypoint":{}}}`, "config.Entrypoint must be a list of strings, got an object"},
		"Env":                   {`{"config":{"Env":{"A":"b"}}}`, "config.Env must be a list of strings, got an object"},
		"Labels":                {`{"config":{"Labels":[]}}`, "config.Labels must be an object of strings, got a list"},
		"Labels with a number":  {`{"config":{"Labels":{"a":5}}}`, "config.Labels must be an object of strings, got an object with a number"},
		"Labels with an object": {`{"config":{"Labels":{"a":{}}}}`, "config.Labels must be an object of strings, got an object with an object"},
		"Volumes":               {`{"config":{"Volumes":["/a"]}}`, "config.Volumes must be an object, got a list"},
		"ExposedPorts":          {`{"config":{"ExposedPorts":true}}`, "config.ExposedPorts must be an object, got true or false"},
		"User":                  {`{"config":{"User":1000}}`, "config.User must be a string, got 1000"},
		"rootfs":                {`{"rootfs":"x"}`, "rootfs must be an object, got a string"},
		"diff_ids":              {`{"rootfs":{"diff_ids":"x"}}`, "rootfs.diff_ids must be a list of strings, got a string"},
		"an invalid diff_id":    {`{"rootfs":{"diff_ids":["sha256:x"]}}`, `rootfs.diff_ids[0] must have 64 hexadecimal digits for sha256, 96 for sha384 or 128 for sha512, got "sha256:x"`},
		"too many strings":      {`{"config":{"Cmd":` + list(maxStrings) + `,"Labels":{"a":"b"}}}`, "it lists 50001 strings, and the maximum is 50000"},
		"too many volumes":      {`{"config":{"Volumes":{"":{}},"Cmd":` + list(maxStrings) + `}}`, "with config.Volumes it lists 50001 strings"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseConfig([]byte(test.content))
			var broken *BrokenImageError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 2*maxQuoted {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
			for _, word := range []string{"Go ", "struct", "2006", "strconv", "json:"} {
				if err != nil && strings.Contains(err.Error(), word) {
					t.Errorf("error %v contains %q", err, word)
				}
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
