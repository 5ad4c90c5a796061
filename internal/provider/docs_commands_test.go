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

// pagesScript returns a shell script that does what pages say, and by the number of each
// shell block what it prints as the page says. Configurations go to main.tf in a
// directory for each page. What an earlier page has installed and started is used: the
// endpoint runs in the background, in the place of another terminal.
func pagesScript(pages ...string) (script string, printed map[int]string) {
	var b strings.Builder
	b.WriteString("set -eu\n")
	printed = map[int]string{}
	seen := map[string]bool{}
	blocks := 0
	for i, page := range pages {
		for _, match := range step.FindAllStringSubmatch(page, -1) {
			kind, content := match[1], match[2]
			if strings.Contains(content, "make ") {
				if seen[content] {
					continue
				}
				seen[content] = true
			}
			switch {
			case kind == "text":
				printed[blocks] = content
				continue
			case kind == "terraform":
				fmt.Fprintf(&b, "mkdir -p \"$WORK/%[1]d\"\ncd \"$WORK/%[1]d\"\ncat >>main.tf <<'END OF CONFIGURATION'\n%[2]sEND OF CONFIGURATION\n", i, content)
				continue
			case strings.Contains(content, "make endpoint"):
				content = "{\n" + content + "} >\"$HOME/endpoint.log\" 2>&1 &\n" +
					"until [ -f \"$HOME/ecr.env\" ]; do kill -0 \"$!\" || { cat \"$HOME/endpoint.log\"; exit 1; }; sleep 1; done\n"
			}
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
	c := newCLI(t, newEnv(t))
	bin := filepath.Join(c.root, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"terraform": `exec "$CLI" "$@"`,
		// A clone is a copy of what is checked out here, without its history.
		"git":       `[ "$1" = clone ] && mkdir "${2##*/}" && cd "$CHECKOUT" && cp -R GNUmakefile go.mod go.sum main.go internal tools "$OLDPWD/${2##*/}"`,
		"sha256sum": `PATH=${PATH#*:}; command -v sha256sum >/dev/null || set -- -a 256 "$@"; exec "$(command -v sha256sum || echo shasum)" "$@"`,
	} {
		writeFile(t, filepath.Join(bin, name), "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(filepath.Join(bin, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script, printed := pagesScript(readFile(t, filepath.Join(checkout, "README.md")), readFile(t, filepath.Join(checkout, "templates", "guides", "getting-started.md")))
	command := exec.CommandContext(t.Context(), "sh", "-c", script)
	command.Dir = c.root
	command.Env = []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + filepath.Join(c.root, "home"), "TMPDIR=" + filepath.Join(c.root, "tmp"),
		"WORK=" + c.dir, "CLI=" + c.path, "CHECKOUT=" + must[string](t)(filepath.Abs(checkout)), "CHECKPOINT_DISABLE=1", "GOFLAGS=-trimpath",
	}
	// What go needs is elsewhere than in the home directory. With -trimpath, its cache also
	// serves a copy.
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
		value := must[[]byte](t)(exec.CommandContext(t.Context(), "go", "env", name).Output())
		command.Env = append(command.Env, name+"="+strings.TrimSpace(string(value)))
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	output, err := command.CombinedOutput()
	_ = command.Cancel() // It ends the endpoint.
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if len(printed) == 0 {
		t.Error("the pages show no output")
	}
	for block := range strings.SplitSeq(timestamp.ReplaceAllString(color.ReplaceAllString(string(output), ""), `"TIME"`), "=== block ") {
		number, got, _ := strings.Cut(block, "\n")
		n, _ := strconv.Atoi(number)
		if want := timestamp.ReplaceAllString(printed[n], `"TIME"`); !strings.Contains(got, want) {
			t.Errorf("block %d does not print:\n%s\nbut:\n%s", n, want, got)
		}
	}
}
