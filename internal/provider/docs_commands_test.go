// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package provider_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var (
	// step matches what a reader of a page saves, runs, and sees.
	step      = regexp.MustCompile("(?ms)^```(terraform|shell|text)\n(.*?\n)```$")
	color     = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	timestamp = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`)
)

// pageScript returns a shell script that does what a page says, and by the number of
// each shell block what it prints as the page says. Configurations go to main.tf in the
// directory $WORK. The endpoint, which the page starts in another terminal, runs in the
// background.
func pageScript(page string) (script string, printed map[int]string) {
	var b strings.Builder
	b.WriteString("set -eu\n")
	printed = map[int]string{}
	blocks := 0
	for _, match := range step.FindAllStringSubmatch(page, -1) {
		switch kind, content := match[1], match[2]; {
		case kind == "text":
			printed[blocks] = content
			continue
		case kind == "terraform":
			fmt.Fprintf(&b, "cd \"$WORK\"\ncat >>main.tf <<'END OF CONFIGURATION'\n%sEND OF CONFIGURATION\n", content)
			continue
		case strings.Contains(content, "make endpoint"):
			content = "{\n" + content + "} >\"$HOME/endpoint.log\" 2>&1 &\n" +
				"until [ -f \"$HOME/ecr.env\" ]; do kill -0 \"$!\" || { cat \"$HOME/endpoint.log\"; exit 1; }; sleep 1; done\n"
			fallthrough
		default:
			blocks++
			fmt.Fprintf(&b, "echo '=== block %d'\n%s", blocks, content)
		}
	}
	return b.String(), printed
}

// Whoever runs the commands of these pages, in this order and in a home directory that
// has nothing, sees what the pages show.
func TestAccDocumentedCommands(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"README.md", "templates/guides/getting-started.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			c := newCLI(t, newEnv(t))
			bin := filepath.Join(c.root, "bin")
			for name, script := range map[string]string{
				"terraform": `exec "$CLI" "$@"`,
				// A clone is a copy of what is checked out here, without its history.
				"git":       `[ "$1" = clone ] && mkdir "${2##*/}" && cd "$CHECKOUT" && cp -R GNUmakefile go.mod go.sum main.go internal tools "$OLDPWD/${2##*/}"`,
				"sha256sum": `PATH=${PATH#*:}; command -v sha256sum >/dev/null || set -- -a 256 "$@"; exec "$(command -v sha256sum || echo shasum)" "$@"`,
			} {
				if err := os.MkdirAll(bin, 0o700); err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(bin, name), "#!/bin/sh\n"+script+"\n")
				if err := os.Chmod(filepath.Join(bin, name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			script, printed := pageScript(readFile(t, filepath.Join(checkout, page)))
			command := exec.CommandContext(t.Context(), "sh", "-c", script)
			command.Dir = c.root
			command.Env = []string{
				"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + filepath.Join(c.root, "home"), "TMPDIR=" + filepath.Join(c.root, "tmp"),
				"WORK=" + c.dir, "CLI=" + c.path, "CHECKOUT=" + must[string](t)(filepath.Abs(checkout)), "CHECKPOINT_DISABLE=1", "GOFLAGS=-trimpath",
			}
			// What go needs is elsewhere than in the home directory. With -trimpath, its cache
			// also serves a copy.
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
				value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
				if err != nil {
					t.Fatal(err)
				}
				command.Env = append(command.Env, name+"="+strings.TrimSpace(string(value)))
			}
			command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
			output, err := command.CombinedOutput()
			_ = command.Cancel() // It ends the endpoint.
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			blocks := strings.Split(timestamp.ReplaceAllString(color.ReplaceAllString(string(output), ""), `"TIME"`), "=== block ")
			if len(printed) == 0 {
				t.Error("the page shows no output")
			}
			for _, block := range blocks {
				number, got, _ := strings.Cut(block, "\n")
				n, _ := strconv.Atoi(number)
				if want := timestamp.ReplaceAllString(printed[n], `"TIME"`); !strings.Contains(got, want) {
					t.Errorf("block %d does not print:\n%s\nbut:\n%s", n, want, got)
				}
			}
		})
	}
}
