// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLongLinesAreWrappedAndNothingIsLost(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string
	}{
		"short":     {"1. short", []string{"1. short"}},
		"empty":     {"", []string{""}},
		"a step":    {"1. twenty characters it is", []string{"1. twenty characters ", "   it is"}},
		"a detail":  {"    detail of many words here", []string{"    detail of many ", "    words here"}},
		"a path":    {"0123456789abc/def/ghi/jkl", []string{"0123456789abc/def/ghi/", "jkl"}},
		"one word":  {strings.Repeat("x", 50), []string{strings.Repeat("x", 22), strings.Repeat("x", 22), "xxxxxx"}},
		"non-ASCII": {strings.Repeat("…", 25), []string{strings.Repeat("…", 22), "………"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := wrap(test.text, 22); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPictureIsXMLWithAllThatWasPrinted(t *testing.T) {
	t.Parallel()
	lines := []line{
		{"1. \x1b[1mstarted\x1b[0m", time.Second},
		{"     sha256:0123456789abcdef  <&> \"quoted\"", 2 * time.Second},
		{"", 3 * time.Second},
		{"2. ended in sha256:0123…", time.Hour},
	}
	svg, err := draw("make 'this & that'", lines, 80)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := textOf(t, string(svg)), "make 'this & that'$make 'this & that'1.startedsha256:0123456789abcdef<&> \"quoted\"2.ended insha256:0123…"; got != want {
		t.Errorf("the picture says %q, want %q", got, want)
	}
	if !strings.Contains(string(svg), "animation-delay:4.50s") || strings.Contains(string(svg), "animation-delay:36") {
		t.Error("pauses are not shortened")
	}
}

func TestRecordedCommandThatFailsGivesNoPicture(t *testing.T) {
	t.Parallel()
	output := filepath.Join(t.TempDir(), "picture.svg")
	if err := run(t.Context(), output, "", 80, []string{"go", "no-such-command"}); err == nil {
		t.Error("a command that fails is recorded as if it had not")
	}
	if _, err := os.Stat(output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a picture: %v", err)
	}
}

// textOf returns the text in an XML document, with plain spaces.
func textOf(t *testing.T, document string) string {
	t.Helper()
	var text strings.Builder
	decoder := xml.NewDecoder(strings.NewReader(document))
	style := false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return strings.ReplaceAll(text.String(), "\u00a0", " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			style = token.Name.Local == "style"
		case xml.CharData:
			if !style {
				text.WriteString(strings.Trim(string(token), "\n"))
			}
		case xml.EndElement:
			style = false
		}
	}
}
