// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/awsconfig"
)

var update = flag.Bool("update", false, "write the generated part of the troubleshooting guide")

// The guide is generated after the marker: "make docs" sets -update.
func TestTroubleshootingGuide(t *testing.T) {
	guide := filepath.Join("..", "..", "templates", "guides", "troubleshooting.md")
	content, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	const marker = "<!-- The rest is generated from the tables of messages by \"make docs\". -->\n"
	written, _, ok := strings.Cut(string(content), marker)
	if !ok {
		t.Fatal("marker not found in the guide")
	}
	want := written + marker +
		section("Errors of ECR and of downloads", causes) +
		section("Credentials", awsconfig.CredentialsCauses) +
		section("Rejected credentials", awsconfig.RejectedCredentials) +
		section("Connections", awsconfig.ConnectionCauses)
	if *update {
		if err := os.WriteFile(guide, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(content) != want {
		t.Error("templates/guides/troubleshooting.md is stale: run 'make docs'")
	}
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// section returns a heading per summary, followed by its advice.
func section[F any](title string, rows []awsconfig.Cause[F]) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n## %s\n", title)
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row.Summary] {
			continue
		}
		seen[row.Summary] = true
		fmt.Fprintf(&text, "\n### %s\n", placeholder.ReplaceAllString(row.Summary, "…"))
		for _, other := range rows {
			if other.Summary == row.Summary {
				// Markdown would treat placeholders in angle brackets as HTML.
				fmt.Fprintf(&text, "\n%s\n", placeholder.ReplaceAllString(other.Advice, "*$1*"))
			}
		}
	}
	return text.String()
}
