// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

// Sizes, in pixels. A character of a monospaced font is 0.6 of its size wide, or
// close to that; textLength in the picture makes up for the difference.
const (
	fontSize   = 14
	charWidth  = 0.6 * fontSize
	lineHeight = 20
	margin     = 20
	titleBar   = 38
)

// The pauses between two lines, as they are played.
const (
	shortestPause = 80 * time.Millisecond
	longestPause  = 1500 * time.Millisecond
)

// span is a piece of a row in one colour.
type span struct {
	Class, Text string
	// In pixels. Where a span begins and ends does not depend on the viewer's font.
	X, Length string
}

// row is a line of the terminal.
type row struct {
	Spans []span
	Y     int
	Delay string // in seconds
}

var (
	control = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]|\r`)
	step    = regexp.MustCompile(`^[0-9]+\. `)
	digest  = regexp.MustCompile(`sha256:[0-9a-f]+…?`)
)

// draw returns the picture of a command and of what it printed.
func draw(command string, lines []line, columns int) ([]byte, error) {
	var rows []row
	add := func(spans []span, at time.Duration) {
		column := 0
		for i, s := range spans {
			width := utf8.RuneCountInString(s.Text)
			text := strings.TrimLeft(s.Text, " ")
			before := width - utf8.RuneCountInString(text)
			spans[i].X = pixels(margin + float64(column+before)*charWidth)
			spans[i].Length = pixels(float64(utf8.RuneCountInString(strings.TrimRight(text, " "))) * charWidth)
			// No viewer collapses these, whatever it makes of white space.
			spans[i].Text = strings.ReplaceAll(strings.TrimRight(text, " "), " ", "\u00a0")
			column += width
		}
		rows = append(rows, row{Spans: spans, Y: titleBar + margin + fontSize + len(rows)*lineHeight, Delay: fmt.Sprintf("%.2f", at.Seconds())})
	}

	add([]span{{Class: "prompt", Text: "$ "}, {Class: "command", Text: command}}, 0)
	var played, before time.Duration
	for _, l := range lines {
		played += min(max(l.at-before, shortestPause), longestPause)
		before = l.at
		text := control.ReplaceAllString(l.text, "")
		for _, part := range wrap(text, columns) {
			add(coloured(part, text), played)
		}
	}

	width := int(float64(columns)*charWidth) + 2*margin
	height := titleBar + 2*margin + len(rows)*lineHeight
	var svg bytes.Buffer
	err := picture.Execute(&svg, map[string]any{
		"Title":       command,
		"Width":       width,
		"Height":      height,
		"InnerWidth":  width - 1,
		"InnerHeight": height - 1,
		"Middle":      width / 2,
		"FontSize":    fontSize,
		"Rows":        rows,
	})
	return svg.Bytes(), err
}

// wrap breaks a line into rows of the terminal, after a space or a slash where one is
// near, and indents all but the first as the line is.
func wrap(text string, columns int) []string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	if number := step.FindString(text); number != "" {
		indent = strings.Repeat(" ", len(number))
	}
	var rows []string
	rest := []rune(text)
	for len(rest) > columns {
		end := columns
		if near := strings.LastIndexAny(string(rest[:columns]), " /"); near > columns/2 {
			end = utf8.RuneCountInString(string(rest[:columns])[:near]) + 1
		}
		rows = append(rows, string(rest[:end]))
		rest = []rune(indent + strings.TrimLeft(string(rest[end:]), " "))
	}
	return append(rows, string(rest))
}

// coloured returns a row of a line in its colours.
func coloured(row, line string) []span {
	base := "text"
	if strings.HasPrefix(line, "  ") {
		base = "detail"
	}
	var spans []span
	if number := step.FindString(row); number != "" {
		spans = append(spans, span{Class: "step", Text: number})
		row = row[len(number):]
	}
	for row != "" {
		at := digest.FindStringIndex(row)
		if at == nil {
			return append(spans, span{Class: base, Text: row})
		}
		if at[0] > 0 {
			spans = append(spans, span{Class: base, Text: row[:at[0]]})
		}
		spans = append(spans, span{Class: "digest", Text: row[at[0]:at[1]]})
		row = row[at[1]:]
	}
	return spans
}

var picture = template.Must(template.New("picture").Funcs(template.FuncMap{"xml": escape}).Parse(`<svg xmlns="http://www.w3.org/2000/svg" width="{{.Width}}" height="{{.Height}}" viewBox="0 0 {{.Width}} {{.Height}}" role="img" aria-label="Recording of {{xml .Title}}">
<style>
text { font: {{.FontSize}}px ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace; fill: #c9d1d9; }
.title, .detail { fill: #8b949e; }
.title { text-anchor: middle; }
.prompt { fill: #7ee787; }
.command { fill: #ffffff; font-weight: bold; }
.step { fill: #79c0ff; font-weight: bold; }
.digest { fill: #d2a8ff; }
@media (prefers-reduced-motion: no-preference) {
  .row { animation: appear 1ms step-end backwards; }
}
@keyframes appear { from { visibility: hidden; } }
</style>
<rect width="{{.Width}}" height="{{.Height}}" rx="10" fill="#0d1117"/>
<rect x="0.5" y="0.5" width="{{.InnerWidth}}" height="{{.InnerHeight}}" rx="9.5" fill="none" stroke="#30363d"/>
<circle cx="22" cy="19" r="6" fill="#ff5f57"/>
<circle cx="42" cy="19" r="6" fill="#febc2e"/>
<circle cx="62" cy="19" r="6" fill="#28c840"/>
<text class="title" x="{{.Middle}}" y="24">{{xml .Title}}</text>
{{range .Rows}}<text class="row" y="{{.Y}}" style="animation-delay:{{.Delay}}s">{{range .Spans}}{{if .Text}}<tspan class="{{.Class}}" x="{{.X}}" textLength="{{.Length}}">{{xml .Text}}</tspan>{{end}}{{end}}</text>
{{end}}</svg>
`))

func pixels(n float64) string {
	return fmt.Sprintf("%.1f", n)
}

func escape(s string) (string, error) {
	var escaped strings.Builder
	err := xml.EscapeText(&escaped, []byte(s))
	return escaped.String(), err
}
