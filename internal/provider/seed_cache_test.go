// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/opencontainers/go-digest"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
)

// The scenario examples/seed-cache: its script by itself, and all of it on a CLI.

// newSeedWorld is newEnv with layers so large that a download can end in the
// middle.
func newSeedWorld(t *testing.T) *env {
	t.Helper()
	w := newEnv(t)
	image, err := random.Image(300_000, 4)
	if err != nil {
		t.Fatal(err)
	}
	w.push(t, account, region, repository, tag, image)
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	w.image, w.layers, w.config = image, nil, manifest.Config.Digest.String()
	for _, layer := range manifest.Layers {
		w.layers = append(w.layers, layer.Digest.String())
	}
	return w
}

// url returns a pre-signed URL of a layer.
func (w *env) url(t *testing.T, layer string) string {
	t.Helper()
	client := ecrlayer.NewClient(aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(w.server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider(w.user.AccessKeyID, w.user.SecretAccessKey, w.user.SessionToken),
	}, nil)
	got, err := client.DownloadURL(t.Context(), ecrlayer.Repository{Name: repository}, digest.Digest(layer))
	if err != nil {
		t.Fatal(err)
	}
	return got.URL
}

// downloads returns the layers that were asked for at the bucket, and the ranges.
func (w *env) downloads() (layers, ranges []string) {
	for _, call := range w.CallsTo("s3", "") {
		layers = append(layers, call.References...)
		ranges = append(ranges, call.Range)
	}
	return layers, ranges
}

// seedCache is a directory that fetch.sh fetches into.
type seedCache string

func (c seedCache) blob(layer string) string {
	return filepath.Join(string(c), "blobs", "sha256", strings.TrimPrefix(layer, "sha256:"))
}

// expect checks that the directory is an OCI image layout which holds just these
// blobs, whole, and nothing that is left over.
func (c seedCache) expect(t *testing.T, layers ...string) {
	t.Helper()
	l, err := layout.FromPath(string(c))
	if err != nil {
		t.Fatal(err)
	}
	index, err := l.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(filepath.Join(string(c), "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, "sha256:"+entry.Name())
		content, err := l.Bytes(v1.Hash{Algorithm: "sha256", Hex: entry.Name()})
		if err != nil {
			t.Fatal(err)
		}
		if got := digest.FromBytes(content).Encoded(); got != entry.Name() {
			t.Errorf("blob %s holds %s", entry.Name(), got)
		}
	}
	if want := slices.Sorted(slices.Values(layers)); !slices.Equal(names, want) {
		t.Errorf("the blobs are %q, want %q", names, want)
	}
	if left := c.partial(t); len(left) > 0 {
		t.Errorf("partial files are left: %q", left)
	}
}

// partial returns the files of downloads that are not complete.
func (c seedCache) partial(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(string(c), ".partial", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// leave writes what a run that was killed has left of a blob.
func (c seedCache) leave(t *testing.T, layer, content string) {
	t.Helper()
	directory := filepath.Join(string(c), ".partial", strings.TrimPrefix(layer, "sha256:")+".killed")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(directory, "part"), content)
}

// expectUnfinished checks that nothing has the name of a blob, and that so many
// bytes of it are kept, and nothing else.
func (c seedCache) expectUnfinished(t *testing.T, layer string, size int64) {
	t.Helper()
	if _, err := os.Stat(c.blob(layer)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something has the name of the blob: %v", err)
	}
	files := c.partial(t)
	if size == 0 && len(files) == 0 {
		return
	}
	if len(files) != 1 {
		t.Fatalf("partial files: %q", files)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Size() != size {
		t.Errorf("%v is kept (%v), want %d bytes", info, err, size)
	}
}

// script is a run of fetch.sh.
type script struct {
	shell []string
	cache seedCache
	url   string
	layer string
	env   []string
}

// shells are the shells that fetch.sh has to work in.
var shells = [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "ash"}}

// forEachShell runs a test of fetch.sh with each shell that is here.
func forEachShell(t *testing.T, test func(*testing.T, []string)) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("fetch.sh needs curl: ", err)
	}
	for _, shell := range shells {
		t.Run(shell[0], func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell[0])
			if err != nil {
				t.Skip(err)
			}
			if sh, _ := exec.LookPath("sh"); shell[0] != "sh" && len(shell) == 1 && sameFile(path, sh) {
				t.Skip("sh is ", shell[0])
			}
			test(t, shell)
		})
	}
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

func newScript(t *testing.T, shell []string, w *env, layer string) *script {
	t.Helper()
	return &script{shell: shell, cache: seedCache(filepath.Join(t.TempDir(), "the cache")), url: w.url(t, layer), layer: layer}
}

func (s *script) command(ctx context.Context) (*exec.Cmd, *bytes.Buffer) {
	command := exec.CommandContext(ctx, s.shell[0], append(s.shell[1:len(s.shell):len(s.shell)], filepath.Join(checkout, "examples", "seed-cache", "fetch.sh"))...)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LAYER_URL=" + s.url, "LAYER_DIGEST=" + s.layer, "CACHE_DIR=" + string(s.cache), "FETCH_BACKOFF=0"}, s.env...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.WaitDelay = 5 * time.Second
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	return command, &output
}

// must runs the script to a good end, with all parts in this order in what it says.
func (s *script) must(t *testing.T, parts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command, output := s.command(ctx)
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	s.expectSaid(t, output.String(), parts)
}

// mustFail runs the script to a bad end.
func (s *script) mustFail(t *testing.T, parts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command, output := s.command(ctx)
	if exit := (*exec.ExitError)(nil); !errors.As(command.Run(), &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%v\n%s", exit, output)
	}
	s.expectSaid(t, output.String(), parts)
}

// expectSaid checks what the script said, and that it did not tell the URL.
func (s *script) expectSaid(t *testing.T, output string, parts []string) {
	t.Helper()
	if !inOrder(slices.Clone(parts)...).MatchString(output) {
		t.Errorf("it does not say %q:\n%s", parts, output)
	}
	if strings.Contains(output, "X-Amz-") {
		t.Errorf("it tells the URL:\n%s", output)
	}
}

const getObject = "GetObject"

func TestSeedCacheScriptFetchesABlobOnce(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		s.must(t, "fetched, [0-9]+ bytes")
		s.cache.expect(t, w.layers[0])
		if info, err := os.Stat(s.cache.blob(w.layers[0])); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%v, %v", info, err)
		}
		s.must(t, "already there")
		if layers, _ := w.downloads(); len(layers) != 1 {
			t.Errorf("fetched %q", layers)
		}

		// What is listed in the index by now stays there.
		listed := `{"schemaVersion":2,"manifests":[],"annotations":{"kept":"yes"}}`
		writeFile(t, filepath.Join(string(s.cache), "index.json"), listed)
		s.layer, s.url = w.config, w.url(t, w.config)
		s.must(t, "fetched")
		s.cache.expect(t, w.layers[0], w.config)
		if got := readFile(t, filepath.Join(string(s.cache), "index.json")); got != listed {
			t.Errorf("index.json is %s", got)
		}
	})
}

func TestSeedCacheScriptGoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 100_000, Times: 1})
		w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 50_000, Times: 1})
		w.Inject(ecrtest.Fault{Operation: getObject, Reset: true, Times: 1})
		w.Inject(ecrtest.Fault{Operation: getObject, Status: http.StatusServiceUnavailable, Code: "SlowDown", Message: "Please reduce your request rate.", Times: 2})
		s.must(t, "next try", "from byte 100000", "from byte 150000", "503", "fetched")
		s.cache.expect(t, w.layers[0])
		if _, ranges := w.downloads(); !slices.Equal(ranges, []string{"", "bytes=100000-", "bytes=150000-", "bytes=150000-", "bytes=150000-", "bytes=150000-"}) {
			t.Errorf("ranges: %q", ranges)
		}
	})
}

func TestSeedCacheScriptGivesUpWhenNothingArrives(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		s.env = []string{"FETCH_ATTEMPTS=3"}
		w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 1000, Times: 1})
		w.Inject(ecrtest.Fault{Operation: getObject, Status: http.StatusInternalServerError})
		s.mustFail(t, "from byte 1000", "given up after 3 tries", "500")
		s.cache.expectUnfinished(t, w.layers[0], 1000)

		w.ClearFaults()
		s.must(t, "fetched")
		s.cache.expect(t, w.layers[0])
	})
}

// killHalfway starts the script, has it killed by kill when the first part has
// arrived and the second hangs, and returns its process group.
func (s *script) killHalfway(t *testing.T, w *env, kill func(pid int)) int {
	t.Helper()
	w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 100_000, Times: 1})
	w.Inject(ecrtest.Fault{Operation: getObject, Hang: true, Times: 1})
	command, _ := s.command(t.Context())
	command.Stdout, command.Stderr = nil, nil // Else what outlives the shell would keep us waiting.
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	group := command.Process.Pid
	waitFor(t, "the second request", func() bool { return len(w.CallsTo("s3", "")) == 2 })
	expectURLHidden(t, group, s.url)
	kill(group)
	if err := command.Wait(); err == nil {
		t.Error("it was not killed")
	}
	return group
}

// expectURLHidden checks that the URL is on no command line of a process group,
// and in the environment of none but the script itself.
func expectURLHidden(t *testing.T, group int, url string) {
	t.Helper()
	_, signature, _ := strings.Cut(url, "X-Amz-Signature=")
	processes, _ := filepath.Glob("/proc/[0-9]*")
	seen := 0
	for _, process := range processes {
		stat, err := os.ReadFile(filepath.Join(process, "stat"))
		if err != nil {
			continue
		}
		// pid (name) state parent group …
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) < 3 || fields[2] != strconv.Itoa(group) {
			continue
		}
		seen++
		command, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		if bytes.Contains(command, []byte(signature)) {
			t.Errorf("the URL is on a command line: %q", command)
		}
		// A subshell has the environment that the script was started with.
		if environment, _ := os.ReadFile(filepath.Join(process, "environ")); bytes.HasPrefix(command, []byte("curl")) && bytes.Contains(environment, []byte(signature)) {
			t.Error("the URL is in the environment of curl")
		}
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil && seen < 2 {
		t.Errorf("only %d processes were looked at", seen)
	}
}

func TestSeedCacheScriptKilledHalfwayAndRunAgain(t *testing.T) {
	t.Parallel()
	kills := map[string]func(int){
		"with all it runs": func(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) },
		// What it runs lives on, and has the file open.
		"alone":        func(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) },
		"as by Ctrl-C": func(pid int) { _ = syscall.Kill(-pid, syscall.SIGINT) },
	}
	for name, kill := range kills {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachShell(t, func(t *testing.T, shell []string) {
				w := newSeedWorld(t)
				s := newScript(t, shell, w, w.layers[0])
				group := s.killHalfway(t, w, kill)
				if _, err := os.Stat(s.cache.blob(s.layer)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("something has the name of the blob: %v", err)
				}

				s.must(t, "fetched")
				if name == "alone" {
					_ = syscall.Kill(-group, syscall.SIGKILL)
				}
				if _, ranges := w.downloads(); !slices.Equal(ranges, []string{"", "bytes=100000-", "bytes=100000-"}) {
					t.Errorf("ranges: %q", ranges)
				}
				content := readFile(t, s.cache.blob(s.layer))
				if got := digest.FromString(content).String(); got != s.layer {
					t.Errorf("the blob holds %s", got)
				}
			})
		})
	}
}

func TestSeedCacheScriptReplacesWhatIsCorrupt(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		s.must(t, "fetched")
		whole := readFile(t, s.cache.blob(s.layer))
		for name, content := range map[string]string{"changed": whole[:len(whole)-1] + "?", "cut off": whole[:100], "empty": "", "too long": whole + whole} {
			writeFile(t, s.cache.blob(s.layer), content)
			s.must(t, "corrupt", "fetched")
			s.cache.expect(t, w.layers[0])
			if t.Failed() {
				t.Fatal(name)
			}
		}

		// What is left of an earlier run.
		for name, content := range map[string]string{"changed": "?" + whole[1:1000], "too long": whole + "?", "of another length": "?" + whole[1:]} {
			os.Remove(s.cache.blob(s.layer))
			s.cache.leave(t, s.layer, content)
			s.must(t, "corrupt", "fetched")
			s.cache.expect(t, w.layers[0])
			if t.Failed() {
				t.Fatal(name)
			}
		}
		// The most that any run has left is gone on with.
		os.Remove(s.cache.blob(s.layer))
		s.cache.leave(t, s.layer, whole[:1000])
		writeFile(t, filepath.Join(string(s.cache), ".partial", strings.TrimPrefix(s.layer, "sha256:")), whole[:500])
		w.Reset()
		s.must(t, "fetched")
		s.cache.expect(t, w.layers[0])
		if _, ranges := w.downloads(); !slices.Equal(ranges, []string{"bytes=1000-"}) {
			t.Errorf("ranges: %q", ranges)
		}

		// All had arrived, and only the name was missing.
		os.Remove(s.cache.blob(s.layer))
		s.cache.leave(t, s.layer, whole)
		w.Reset()
		s.must(t, "fetched")
		s.cache.expect(t, w.layers[0])
		if layers, _ := w.downloads(); len(layers) > 0 {
			t.Errorf("fetched %q", layers)
		}
	})
}

func TestSeedCacheScriptTakesNothingThatIsNotTheBlob(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		w.Inject(ecrtest.Fault{Operation: getObject, Rewrite: func(body []byte) []byte { return append([]byte("?"), body[1:]...) }, Times: 1})
		s.must(t, "corrupt: fetching it anew", "fetched")
		s.cache.expect(t, w.layers[0])

		other := newScript(t, shell, w, w.layers[1])
		w.Inject(ecrtest.Fault{Operation: getObject, Rewrite: func(body []byte) []byte { return append([]byte("?"), body[1:]...) }})
		other.mustFail(t, "another digest", "sha256:[0-9a-f]{64}", "again and again")
		other.cache.expectUnfinished(t, w.layers[1], 0)
	})
}

// urlsExpireInTheMiddle cuts one download off in the middle, and has all URLs expire then.
func urlsExpireInTheMiddle(w *env) ecrtest.Fault {
	return ecrtest.Fault{Operation: getObject, Truncate: 100_000, Times: 1, Rewrite: func(body []byte) []byte {
		w.Advance(2 * time.Hour)
		return body
	}}
}

func TestSeedCacheScriptSaysWhyS3Refuses(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		w.Inject(urlsExpireInTheMiddle(w))
		s.mustFail(t, "HTTP 403, AccessDenied: Request has expired", "Run again", "100000 bytes")
		s.cache.expectUnfinished(t, s.layer, 100_000)

		w.Reset()
		s.url = w.url(t, s.layer)
		s.must(t, "fetched")
		s.cache.expect(t, s.layer)
		if _, ranges := w.downloads(); !slices.Equal(ranges, []string{"bytes=100000-"}) {
			t.Errorf("ranges: %q", ranges)
		}

		for name, test := range map[string]struct {
			fault ecrtest.Fault
			want  []string
		}{
			"key that is not there": {ecrtest.Fault{Code: "NoSuchKey", Status: http.StatusNotFound, Message: "The specified key does not exist."}, []string{"HTTP 404, NoSuchKey: The specified key does not exist."}},
			"endpoint policy":       {ecrtest.Fault{Code: "AccessDenied", Status: http.StatusForbidden, Message: "Access Denied"}, []string{"HTTP 403, AccessDenied: Access Denied"}},
			"proxy":                 {ecrtest.Fault{Status: http.StatusForbidden, Body: []byte("<html>no"), ContentType: "text/html"}, []string{"HTTP 403, and no reason", "proxy"}},
			"no content":            {ecrtest.Fault{Status: http.StatusNoContent}, []string{"HTTP 204"}},
		} {
			w.ClearFaults()
			test.fault.Operation = getObject
			w.Inject(test.fault)
			other := newScript(t, shell, w, w.layers[1])
			other.mustFail(t, test.want...)
			other.cache.expectUnfinished(t, w.layers[1], 0)
			if t.Failed() {
				t.Fatal(name)
			}
		}

		// Refused once only: that is worth another try.
		w.ClearFaults()
		w.Inject(ecrtest.Fault{Operation: getObject, Status: http.StatusForbidden, Times: 1})
		other := newScript(t, shell, w, w.layers[1])
		other.must(t, "HTTP 403, but not when asked again", "fetched")
		other.cache.expect(t, w.layers[1])
	})
}

func TestSeedCacheScriptWorksWhereNothingResumes(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		content := strings.Repeat("all or nothing\n", 20_000)
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
			if requests == 1 {
				_, _ = w.Write([]byte(content[:100_000]))
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write([]byte(content))
		}))
		t.Cleanup(server.Close)
		s := &script{shell: shell, cache: seedCache(t.TempDir()), url: server.URL + "/layer?X-Amz-Signature=secret", layer: digest.FromString(content).String()}
		s.must(t, "from byte 100000", "cannot resume", "from byte 0", "fetched")
		s.cache.expect(t, s.layer)
	})
}

func TestSeedCacheScriptFetchesAnEmptyBlob(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		t.Cleanup(server.Close)
		s := &script{shell: shell, cache: seedCache(t.TempDir()), url: server.URL, layer: digest.FromString("").String()}
		s.must(t, "fetched, 0 bytes")
		s.cache.expect(t, s.layer)
	})
}

func TestSeedCacheScriptRunTwiceAtOnce(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		slow := newScript(t, shell, w, w.layers[0])
		fast := *slow
		w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 100_000, Times: 1})
		done := make(chan struct{})
		release := sync.OnceFunc(func() { close(done) })
		t.Cleanup(release)
		w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 100_000, Times: 1, Rewrite: func(body []byte) []byte {
			<-done
			return body
		}})
		command, output := slow.command(t.Context())
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the second request", func() bool { return len(w.CallsTo("s3", "")) == 2 })
		fast.must(t, "fetched")
		release()
		if err := command.Wait(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		slow.expectSaid(t, output.String(), []string{"another run was faster"})
		slow.cache.expect(t, w.layers[0])
		if _, ranges := w.downloads(); !slices.Equal(ranges, []string{"", "bytes=100000-", "bytes=100000-"}) {
			t.Errorf("ranges: %q", ranges)
		}
	})
}

// standIns puts shell scripts in the place of commands, for this run alone. The
// command itself is "$real".
func (s *script) standIns(t *testing.T, commands map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, content := range commands {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skip(err)
		}
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nreal='"+path+"'\n"+content+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.env = append(slices.Clone(s.env), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// expectNoNoise checks that all that was said is what the script says.
func (s *script) expectNoNoise(t *testing.T, output string) {
	t.Helper()
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, s.layer+": ") {
			t.Errorf("noise: %s", line)
		}
	}
}

func TestSeedCacheScriptFinishedByAnotherRunWhileItVerifies(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		if shell[0] == "busybox" {
			t.Skip("its own sha256sum may come before any on PATH")
		}
		w := newSeedWorld(t)
		fast := newScript(t, shell, w, w.layers[0])
		slow := *fast
		verifies, goOn := filepath.Join(t.TempDir(), "verifies"), filepath.Join(t.TempDir(), "go on")
		slow.standIns(t, map[string]string{"sha256sum": `"$real" && : >'` + verifies + `'; until [ -e '` + goOn + `' ]; do sleep 0.1; done`})
		command, output := slow.command(t.Context())
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the verification", func() bool { _, err := os.Stat(verifies); return err == nil })
		fast.must(t, "fetched")
		fast.cache.expect(t, fast.layer)
		writeFile(t, goOn, "")
		if err := command.Wait(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		slow.expectSaid(t, output.String(), []string{"another run was faster"})
		slow.expectNoNoise(t, output.String())
		slow.cache.expect(t, slow.layer)
	})
}

func TestSeedCacheScriptStartsAgainWhenItsFilesAreGone(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 100_000, Times: 1})
		w.Inject(ecrtest.Fault{Operation: getObject, Times: 1, Rewrite: func(body []byte) []byte {
			if err := os.RemoveAll(filepath.Join(string(s.cache), ".partial")); err != nil {
				t.Error(err)
			}
			return body
		}})
		command, output := s.command(t.Context())
		if err := command.Run(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		s.expectSaid(t, output.String(), []string{"from byte 100000", "fetched"})
		s.expectNoNoise(t, output.String())
		s.cache.expect(t, s.layer)
	})
}

// In containers, each run may have the same process ID as the others.
func TestSeedCacheScriptRunByManyWithTheSameProcessID(t *testing.T) {
	t.Parallel()
	content := strings.ReplaceAll(readFile(t, filepath.Join(checkout, "examples", "seed-cache", "fetch.sh")), "$$", "1")
	file := filepath.Join(t.TempDir(), "fetch.sh")
	writeFile(t, file, content)
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		good := newScript(t, shell, w, w.layers[0])
		for range 4 {
			w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 50_000, Times: 2})
			w.Inject(ecrtest.Fault{Operation: getObject, Delay: 200 * time.Millisecond, Times: 2})
		}
		log := filepath.Join(t.TempDir(), "log")
		good.standIns(t, map[string]string{
			"curl":      `for argument; do last=$argument; done; echo "$RUN $last" >>'` + log + `'; exec "$real" "$@"`,
			"sha256sum": `sleep 0.$((RUN / 2)); exec "$real"`,
		})
		var runs sync.WaitGroup
		for run := range 8 {
			s := *good
			s.env = append(slices.Clone(s.env), fmt.Sprint("RUN=", run))
			command, output := s.command(t.Context())
			command.Args[len(command.Args)-1] = file
			runs.Go(func() {
				if err := command.Run(); err != nil {
					t.Errorf("%v\n%s", err, output)
				}
				s.expectSaid(t, output.String(), []string{"already there|another run was faster|fetched"})
				s.expectNoNoise(t, output.String())
				if got := digest.FromString(readFile(t, s.cache.blob(s.layer))).String(); got != s.layer {
					t.Errorf("the blob holds %s", got)
				}
			})
		}
		runs.Wait()
		good.cache.expect(t, good.layer)
		users := map[string]string{}
		for line := range strings.Lines(readFile(t, log)) {
			run, part, _ := strings.Cut(strings.TrimSpace(line), " ")
			if other, used := users[part]; used && other != run {
				t.Errorf("runs %s and %s write to %s", other, run, part)
			}
			users[part] = run
		}
		if len(users) < 2 {
			t.Errorf("only %d parts were written", len(users))
		}
	})
}

func TestSeedCacheScriptGivesUpAConnectionOnWhichNothingArrives(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		s.env = []string{"FETCH_STALL=1"}
		w.Inject(ecrtest.Fault{Operation: getObject, Truncate: 100_000, Stall: true, Times: 1})
		s.must(t, "next try", "from byte 100000", "fetched")
		s.cache.expect(t, s.layer)
		if _, ranges := w.downloads(); !slices.Equal(ranges, []string{"", "bytes=100000-"}) {
			t.Errorf("ranges: %q", ranges)
		}

		// It takes the connection, and says nothing in TLS.
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		other := newScript(t, shell, w, w.layers[1])
		other.env = []string{"FETCH_STALL=1", "FETCH_ATTEMPTS=2"}
		other.url = "https://" + listener.Addr().String()
		other.mustFail(t, "next try", "given up after 2 tries")
		other.cache.expectUnfinished(t, other.layer, 0)
	})
}

func TestSeedCacheScriptHidesTheURLThatCurlRepeats(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		s := newScript(t, shell, w, w.layers[0])
		s.env = []string{"FETCH_ATTEMPTS=2"}
		for _, code := range []string{"3", "56"} {
			other := *s
			other.standIns(t, map[string]string{"curl": `sed -n 's/.*url = "\(.*\)".*/curl: (` + code + `) no good: \1 was the URL/p' >&2; exit ` + code})
			other.mustFail(t, `no good: http://[^?]*\?\.\.\. was the URL`)
		}
	})
}

func TestSeedCacheScriptRejectsWhatItCannotUse(t *testing.T) {
	t.Parallel()
	forEachShell(t, func(t *testing.T, shell []string) {
		w := newSeedWorld(t)
		good := newScript(t, shell, w, w.layers[0])
		empty := t.TempDir()
		shellPath, err := exec.LookPath(shell[0])
		if err != nil {
			t.Fatal(err)
		}
		tests := map[string]struct {
			change func(*script)
			want   string
		}{
			"digest of another kind": {func(s *script) { s.layer = "sha512:" + strings.Repeat("a", 128) }, "hexadecimal digits"},
			"digest in upper case":   {func(s *script) { s.layer = "sha256:" + strings.Repeat("A", 64) }, "hexadecimal digits"},
			"digest with a path":     {func(s *script) { s.layer = "sha256:../../" + strings.Repeat("a", 58) }, "hexadecimal digits"},
			"short digest":           {func(s *script) { s.layer = "sha256:abc" }, "64 digits"},
			"URL with a quote":       {func(s *script) { s.url += `"` }, "in no URL"},
			"URL with another line":  {func(s *script) { s.url += "\noutput = /etc/passwd" }, "in no URL"},
			"URL of a file":          {func(s *script) { s.url = "file:///etc/passwd" }, "not an HTTP URL"},
			"no curl": {func(s *script) {
				s.shell = append([]string{shellPath}, shell[1:]...)
				s.env = []string{"PATH=" + empty}
			}, "curl is needed"},
		}
		for name, test := range tests {
			if name == "no curl" && shell[0] == "busybox" {
				continue // It has applets where PATH has nothing, and where it is PATH that is not right.
			}
			s := *good
			test.change(&s)
			s.mustFail(t, test.want)
			if t.Failed() {
				t.Fatal(name)
			}
		}
		for _, missing := range []string{"LAYER_URL", "LAYER_DIGEST", "CACHE_DIR"} {
			command, output := good.command(t.Context())
			command.Env = slices.DeleteFunc(command.Env, func(v string) bool { return strings.HasPrefix(v, missing+"=") })
			if err := command.Run(); err == nil || !strings.Contains(output.String(), missing+" is not set") {
				t.Errorf("%v\n%s", err, output)
			}
		}
		if layers, _ := w.downloads(); len(layers) > 0 {
			t.Errorf("fetched %q", layers)
		}
	})
}

// seed is the scenario on a CLI.
type seed struct {
	*env
	*cli
	cache seedCache
}

func newSeed(t *testing.T) *seed {
	t.Helper()
	needsEphemeralValues(t)
	w := newSeedWorld(t)
	s := &seed{env: w, cli: newCLI(t, w)}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("examples/seed-cache needs curl: ", err)
	}
	s.cache = seedCache(filepath.Join(s.dir, "cache"))
	s.environ = append(s.environ, "FETCH_BACKOFF=0")
	s.useScenario(t, "seed-cache")
	s.want(t, w.layers[:3]...)
	s.init(t)
	return s
}

// want sets which layers are to be in the cache.
func (s *seed) want(t *testing.T, layers ...string) {
	t.Helper()
	variables, err := json.Marshal(map[string]any{"region": region, "repository_name": repository, "layer_digests": layers})
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "terraform.tfvars.json", string(variables))
}

// expectFetched checks which layers were fetched since the calls were reset.
func (s *seed) expectFetched(t *testing.T, layers ...string) {
	t.Helper()
	got, _ := s.downloads()
	if want := slices.Sorted(slices.Values(layers)); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("fetched %q, want %q", got, want)
	}
}

// expectNoChanges checks that a plan has nothing to do.
func (s *seed) expectNoChanges(t *testing.T) {
	t.Helper()
	s.must(t, "plan", "-detailed-exitcode")
}

func TestAccSeedCacheIsSeededByDigestAndNotByURL(t *testing.T) {
	t.Parallel()
	s := newSeed(t)
	seen := s.watch()
	s.must(t, "apply", "-auto-approve")
	s.expectFetched(t, s.layers[:3]...)
	s.cache.expect(t, s.layers[:3]...)

	handedOut := seen.counts["X-Amz-Signature"]
	s.Reset()
	s.expectNoChanges(t)
	if more := seen.counts["X-Amz-Signature"] - handedOut; more != 3 || len(s.CallsTo("s3", "")) != 0 {
		t.Errorf("the plan was given %d other URLs, want 3, and fetched %d layers", more, len(s.CallsTo("s3", "")))
	}

	s.want(t, s.layers[0], s.layers[1], s.layers[3])
	s.Reset()
	s.must(t, "apply", "-auto-approve")
	s.expectFetched(t, s.layers[3])
	s.cache.expect(t, s.layers...) // What is no longer wanted is left in the cache.
	s.expectNoChanges(t)
}

func TestAccSeedCacheSavedPlanIsGoodWhenItsURLsHaveExpired(t *testing.T) {
	t.Parallel()
	s := newSeed(t)
	s.must(t, "plan", "-out=plan.bin")
	s.Advance(2 * time.Hour)
	s.must(t, "apply", "plan.bin")
	s.expectFetched(t, s.layers[:3]...)
	s.cache.expect(t, s.layers[:3]...)
}

func TestAccSeedCacheLeavesNoURLInAnyFile(t *testing.T) {
	t.Parallel()
	s := newSeed(t)
	seen := s.watch()
	seen.add("name of a secret", "X-Amz-Signature")
	output := s.must(t, "plan", "-out=plan.bin") + s.must(t, "apply", "plan.bin") + s.must(t, "show", "-json", "plan.bin") + s.must(t, "show", "-json")
	s.want(t, s.layers...)
	output += s.must(t, "apply", "-auto-approve")
	for _, file := range []string{"terraform.tfstate", "terraform.tfstate.backup", "plan.bin"} {
		if info, err := os.Stat(filepath.Join(s.dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%v, %v", info, err)
		}
	}
	seen.expectNotWritten(t, s.cli, output)
}

func TestAccSeedCacheSaysWhyADownloadIsRefusedInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newSeed(t)
	seen := s.watch()
	s.want(t, s.layers[0])
	s.Inject(urlsExpireInTheMiddle(s.env))
	s.must(t, "plan", "-out=plan.bin")
	output := s.mustFail(t, []string{"local-exec provisioner error", "HTTP 403, AccessDenied: Request has expired", "Run again"}, "apply", "plan.bin")
	s.cache.expectUnfinished(t, s.layers[0], 100_000)

	s.Reset()
	output += s.must(t, "apply", "-auto-approve")
	s.cache.expect(t, s.layers[0])
	if _, ranges := s.downloads(); !slices.Equal(ranges, []string{"bytes=100000-"}) {
		t.Errorf("ranges: %q", ranges)
	}
	s.expectNoChanges(t)
	seen.expectNotWritten(t, s.cli, output)
}

func TestAccSeedCacheInterruptedAndRunAgain(t *testing.T) {
	t.Parallel()
	s := newSeed(t)
	s.want(t, s.layers[0])
	s.Inject(ecrtest.Fault{Operation: getObject, Truncate: 100_000, Times: 1})
	s.Inject(ecrtest.Fault{Operation: getObject, Hang: true, Times: 1})
	apply := s.command(t.Context(), "apply", "-auto-approve")
	apply.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var output bytes.Buffer
	apply.Stdout, apply.Stderr = &output, &output
	if err := apply.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the second request", func() bool { return len(s.CallsTo("s3", "")) == 2 })
	// As by Ctrl-C, which reaches all in the terminal.
	if err := syscall.Kill(-apply.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := apply.Wait(); err == nil {
		t.Errorf("it was not interrupted:\n%s", &output)
	}
	if _, err := os.Stat(s.cache.blob(s.layers[0])); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something has the name of the blob: %v", err)
	}

	s.must(t, "apply", "-auto-approve")
	s.cache.expect(t, s.layers[0])
	if _, ranges := s.downloads(); !slices.Equal(ranges, []string{"", "bytes=100000-", "bytes=100000-"}) {
		t.Errorf("ranges: %q", ranges)
	}
	s.expectNoChanges(t)
}

func TestAccSeedCacheTellsOfDamageAndRepairsIt(t *testing.T) {
	t.Parallel()
	s := newSeed(t)
	s.must(t, "apply", "-auto-approve")
	writeFile(t, s.cache.blob(s.layers[0]), "corrupt")
	if err := os.Remove(s.cache.blob(s.layers[1])); err != nil {
		t.Fatal(err)
	}

	plan := s.must(t, "plan")
	var repair []string
	for _, layer := range s.layers[:2] {
		address := fmt.Sprintf("terraform_data.layer[%q]", layer)
		repair = append(repair, "-replace="+address)
		if !strings.Contains(plan, "-replace='"+address+"'") {
			t.Errorf("the plan does not tell of %s:\n%s", address, plan)
		}
	}
	if strings.Contains(plan, "-replace='terraform_data.layer[\""+s.layers[2]) {
		t.Errorf("the plan tells of what is intact:\n%s", plan)
	}

	s.Reset()
	s.must(t, "apply", append(repair, "-auto-approve")...)
	s.expectFetched(t, s.layers[:2]...)
	s.cache.expect(t, s.layers[:3]...)
	if plan := s.must(t, "plan", "-detailed-exitcode"); strings.Contains(plan, "Missing or corrupt") {
		t.Errorf("the plan tells of damage:\n%s", plan)
	}
}
