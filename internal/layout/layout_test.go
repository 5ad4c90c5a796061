// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package layout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/gofrs/flock"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrlayer"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/ecrtest"
	"github.com/ecrlayer/terraform-provider-ecrlayer/internal/layout"
)

const (
	account    = "123456789012"
	region     = "us-east-1"
	repository = "team/app"
)

// registry is a local ECR and a client.
type registry struct {
	*ecrtest.Endpoint
	url    string
	user   ecrtest.Credentials
	client *ecrlayer.Client
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{Endpoint: ecrtest.New()}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url, r.user = server.URL, r.AddUser(account)
	r.connect()
	return r
}

func (r *registry) connect() {
	r.client = ecrlayer.NewClient(aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(r.url),
		Credentials:  credentials.NewStaticCredentialsProvider(r.user.AccessKeyID, r.user.SecretAccessKey, r.user.SessionToken),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 2
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}, nil)
}

// push stores an image with a config and these layers, and returns it by its tag.
func (r *registry) push(t *testing.T, tag string, layers ...string) layout.Image {
	t.Helper()
	describe := func(mediaType, content string) ocispec.Descriptor {
		return ocispec.Descriptor{MediaType: mediaType, Digest: r.PutBlob(account, region, repository, []byte(content)), Size: int64(len(content))}
	}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: describe(ocispec.MediaTypeImageConfig, `{"os":"linux","architecture":"amd64"}`)}
	m.SchemaVersion = 2
	for _, layer := range layers {
		m.Layers = append(m.Layers, describe(ocispec.MediaTypeImageLayer, layer))
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	r.PutManifest(account, region, repository, tag, ocispec.MediaTypeImageManifest, raw)
	return r.image(t, tag)
}

func (r *registry) image(t *testing.T, tag string) layout.Image {
	t.Helper()
	graph, err := r.client.Graph(t.Context(), ecrlayer.Repository{Name: repository}, ecrlayer.ImageReference{Tag: tag}, "")
	if err != nil {
		t.Fatal(err)
	}
	return layout.Image{Key: tag, RefName: tag, Graph: graph}
}

// fetched returns how often each blob was requested since the last call.
func (r *registry) fetched() map[string]int {
	counts := map[string]int{}
	for _, call := range r.Calls() {
		if call.Service == "s3" {
			counts[call.References[0]]++
		}
	}
	return counts
}

func write(t *testing.T, r *registry, dir string, image layout.Image, known layout.Record) layout.Record {
	t.Helper()
	now, warning, err := layout.New(dir).Write(t.Context(), r.client, image, image.Key, known, &atomic.Int64{})
	if err != nil || warning != "" {
		t.Fatalf("warning %q, error %v", warning, err)
	}
	return now
}

func remove(t *testing.T, dir, key, owner string, known layout.Record) {
	t.Helper()
	if warning, err := layout.New(dir).Remove(t.Context(), key, owner, known); err != nil || warning != "" {
		t.Errorf("warning %q, error %v", warning, err)
	}
}

// blobs returns the blobs of a directory, and fails if one does not have its name.
func blobs(t *testing.T, dir string) []digest.Digest {
	t.Helper()
	var found []digest.Digest
	for _, file := range must(os.ReadDir(filepath.Join(dir, "blobs", "sha256"))) {
		d := digest.NewDigestFromEncoded(digest.SHA256, file.Name())
		if actual := digest.FromBytes(must(os.ReadFile(blobPath(dir, d)))); actual != d {
			t.Errorf("%s has the digest %s", d, actual)
		}
		found = append(found, d)
	}
	return found
}

func blobPath(dir string, d digest.Digest) string {
	return filepath.Join(dir, "blobs", "sha256", d.Encoded())
}

// expectBlobs fails unless the directory has the blobs of exactly these images.
func expectBlobs(t *testing.T, dir string, images ...layout.Image) {
	t.Helper()
	want := map[digest.Digest]bool{}
	for _, image := range images {
		for _, d := range digests(image) {
			want[d] = true
		}
	}
	if got := blobs(t, dir); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("the blobs are %v, want %v", got, slices.Sorted(maps.Keys(want)))
	}
}

func digests(image layout.Image) (all []digest.Digest) {
	for _, m := range image.Manifests {
		all = append(all, m.Digest)
	}
	for _, b := range image.Blobs {
		all = append(all, b.Digest)
	}
	return all
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// own returns the files in the directory of the package.
func own(t *testing.T, dir string) (names []string) {
	t.Helper()
	for _, file := range must(os.ReadDir(filepath.Join(dir, ".ecrlayer"))) {
		names = append(names, file.Name())
	}
	return names
}

func TestWrite(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), filepath.Join(t.TempDir(), "new", "cache")
	image := r.push(t, "1.0", "one", "two", "two", "")
	var done atomic.Int64
	record, warning, err := layout.New(dir).Write(t.Context(), r.client, image, image.Key, nil, &done)
	if err != nil || warning != "" || done.Load() != image.Size() {
		t.Fatalf("%d of %d bytes, warning %q, error %v", done.Load(), image.Size(), warning, err)
	}
	expectBlobs(t, dir, image)
	if got := slices.Sorted(maps.Keys(record)); !slices.Equal(got, blobs(t, dir)) {
		t.Errorf("the record has %v", got)
	}
	if got := string(must(os.ReadFile(filepath.Join(dir, "oci-layout")))); got != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout is %q", got)
	}
	index := must(ggcr.ImageIndexFromPath(dir))
	entries := must(index.IndexManifest()).Manifests
	if len(entries) != 1 || entries[0].Digest.String() != image.ImageDigest.String() || entries[0].Annotations[ocispec.AnnotationRefName] != "1.0" {
		t.Errorf("the entries are %v", entries)
	}
	if got := own(t, dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("these files are left: %v", got)
	}

	before := len(r.Calls())
	write(t, r, dir, image, record)
	write(t, r, dir, image, nil) // Everything is read, and nothing downloaded.
	if calls := r.Calls()[before:]; len(calls) > 0 {
		t.Errorf("calls for what is there: %v", calls)
	}
}

func TestWriteRepairs(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows restricts symbolic links")
	}
	tests := map[string]struct {
		damage func(path string) error
		want   string
	}{
		"missing":   {os.Remove, "is missing"},
		"truncated": {func(path string) error { return os.Truncate(path, 2) }, "has 2 bytes instead of 3"},
		"longer":    {func(path string) error { return os.Truncate(path, 5) }, "has 5 bytes instead of 3"},
		"altered":   {func(path string) error { return os.WriteFile(path, []byte("eno"), 0o600) }, "was altered"},
		"altered, with the old time of modification": {func(path string) error {
			info := must(os.Stat(path))
			return errors.Join(os.WriteFile(path, []byte("eno"), 0o600), os.Chtimes(path, time.Time{}, info.ModTime()))
		}, "was altered"},
		"a symbolic link": {func(path string) error {
			return errors.Join(os.Rename(path, path+".moved"), os.Symlink(path+".moved", path))
		}, "is not a regular file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, dir := newRegistry(t), t.TempDir()
			image := r.push(t, "1.0", "one", "two")
			record := write(t, r, dir, image, nil)
			damaged := digest.FromString("one")
			err := test.damage(blobPath(dir, damaged))
			for err == nil && test.want == "was altered" && layout.StampOf(t, blobPath(dir, damaged)) == record[damaged] {
				err = test.damage(blobPath(dir, damaged)) // The times of files advance in ticks.
			}
			if err != nil {
				t.Fatal(err)
			}
			now, damage, err := layout.New(dir).Check(t.Context(), record)
			if want := damaged.String() + " " + test.want; err != nil || len(now) != len(record)-1 || len(damage) != 1 || damage[0] != want {
				t.Errorf("damage %q (error %v), want %q", damage, err, want)
			}
			before := r.fetched()
			record = write(t, r, dir, image, record)
			os.Remove(blobPath(dir, damaged) + ".moved")
			expectBlobs(t, dir, image)
			after := r.fetched()
			after[damaged.String()]--
			if !maps.Equal(after, before) {
				t.Errorf("the downloads were %v, then %v", before, after)
			}
			if info := must(os.Lstat(blobPath(dir, damaged))); !info.Mode().IsRegular() {
				t.Errorf("the blob is %s", info.Mode())
			}
			if _, damage, err := layout.New(dir).Check(t.Context(), record); err != nil || len(damage) > 0 {
				t.Errorf("after the repair: %q, %v", damage, err)
			}
		})
	}
}

func TestCheckDoesNotReadWhatIsUnchanged(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	record := write(t, r, dir, r.push(t, "1.0", "one"), nil)
	changed := digest.FromString("one")
	if err := os.WriteFile(blobPath(dir, changed), []byte("eno"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir() // It has the altered blob from the beginning, as far as the record says.
	if err := errors.Join(os.CopyFS(other, os.DirFS(dir)), os.Chtimes(blobPath(other, changed), time.Time{}, time.Now().Add(-time.Hour))); err != nil {
		t.Fatal(err)
	}
	_, damage, err := layout.New(other).Check(t.Context(), record)
	if err != nil || len(damage) != 1 {
		t.Errorf("damage %q, error %v", damage, err)
	}
	record[changed] = layout.StampOf(t, blobPath(dir, changed))
	if now, damage, err := layout.New(dir).Check(t.Context(), record); err != nil || len(damage) > 0 || now[changed] != record[changed] {
		t.Errorf("damage %q, error %v", damage, err)
	}
}

func TestCheckVerifiesTouchedFilesAgain(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	record := write(t, r, dir, r.push(t, "1.0", "one"), nil)
	touched := digest.FromString("one")
	if err := os.Chtimes(blobPath(dir, touched), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	now, damage, err := layout.New(dir).Check(t.Context(), record)
	if err != nil || len(damage) > 0 || now[touched] == record[touched] || len(now) != len(record) {
		t.Errorf("%v, damage %q, error %v", now, damage, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := layout.New(dir).Check(ctx, record); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interrupt, the error is %v", err)
	}
}

func TestWriteKeepsWhatOthersWrote(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	mine := r.push(t, "1.0", "one", "shared")
	other := r.push(t, "other", "shared", "theirs")
	write(t, r, dir, other, nil)
	path := filepath.Join(dir, "index.json")
	var index map[string]any
	if err := json.Unmarshal(must(os.ReadFile(path)), &index); err != nil {
		t.Fatal(err)
	}
	entry := index["manifests"].([]any)[0].(map[string]any)
	entry["annotations"] = map[string]string{ocispec.AnnotationRefName: "mine"}
	entry["x-tool"] = 12345678901234567890.0
	index["x-top"] = map[string]any{"a": []int{1}}
	theirs := string(must(json.Marshal(entry)))
	if err := os.WriteFile(path, must(json.Marshal(index)), 0o600); err != nil {
		t.Fatal(err)
	}

	record := write(t, r, dir, mine, nil)
	expectBlobs(t, dir, mine, other)
	remove(t, dir, mine.Key, "", record)
	expectBlobs(t, dir, other)
	if err := json.Unmarshal(must(os.ReadFile(path)), &index); err != nil {
		t.Fatal(err)
	}
	if got := string(must(json.Marshal(index["manifests"]))); got != "["+theirs+"]" {
		t.Errorf("the entries are\n%s, want\n%s", got, theirs)
	}
	if fmt.Sprint(index["x-top"]) != "map[a:[1]]" {
		t.Errorf("index.json is %v", index)
	}
}

func TestWriteReplacesAnEntry(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	old := r.push(t, "1.0", "kept", "old")
	record := write(t, r, dir, old, nil)
	moved := r.push(t, "1.0", "kept", "new")
	before := r.fetched()
	record = write(t, r, dir, moved, record)
	expectBlobs(t, dir, moved)
	if got := r.fetched(); got[digest.FromString("kept").String()] != before[digest.FromString("kept").String()] || got[digest.FromString("new").String()] != 1 {
		t.Errorf("the downloads are %v", got)
	}
	// Another tag is another key.
	next := r.push(t, "1.1", "kept", "next")
	if _, warning, err := layout.New(dir).Write(t.Context(), r.client, next, moved.Key, record, &atomic.Int64{}); err != nil || warning != "" {
		t.Fatalf("warning %q, error %v", warning, err)
	}
	expectBlobs(t, dir, next)
	for key, want := range map[string]bool{"1.0": false, "1.1": true} {
		if entry, err := layout.New(dir).Find(key); err != nil || (entry != nil) != want {
			t.Errorf("%s: %v, %v", key, entry, err)
		}
	}
}

func TestNothingIsRemovedIfAnotherEntryCannotBeRead(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, dir string, other layout.Image){
		"a missing manifest": func(t *testing.T, dir string, other layout.Image) {
			t.Helper()
			if err := os.Remove(blobPath(dir, other.ImageDigest)); err != nil {
				t.Fatal(err)
			}
		},
		"an altered manifest": func(t *testing.T, dir string, other layout.Image) {
			t.Helper()
			if err := os.WriteFile(blobPath(dir, other.ImageDigest), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"an unknown media type": func(t *testing.T, dir string, _ layout.Image) {
			t.Helper()
			path := filepath.Join(dir, "index.json")
			content := strings.Replace(string(must(os.ReadFile(path))), ocispec.MediaTypeImageManifest, "application/vnd.oci.artifact.manifest.v1+json", 1)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, dir := newRegistry(t), t.TempDir()
			other := r.push(t, "other", "shared", "theirs")
			write(t, r, dir, other, nil)
			mine := r.push(t, "1.0", "one", "shared")
			record := write(t, r, dir, mine, nil)
			damage(t, dir, other)
			before := must(os.ReadDir(filepath.Join(dir, "blobs", "sha256")))
			warning, err := layout.New(dir).Remove(t.Context(), mine.Key, "", record)
			if err != nil || !strings.Contains(warning, "No blob was removed, because the entry "+other.ImageDigest.String()) {
				t.Errorf("warning %q, error %v", warning, err)
			}
			if after := must(os.ReadDir(filepath.Join(dir, "blobs", "sha256"))); len(after) != len(before) {
				t.Errorf("%d blobs, want %d", len(after), len(before))
			}
			if entry, err := layout.New(dir).Find(mine.Key); entry != nil || err != nil {
				t.Errorf("the entry is still there: %v, %v", entry, err)
			}
			// Every removal tries again, until it can.
			for range 2 {
				if warning, err := layout.New(dir).Remove(t.Context(), mine.Key, "", record); err != nil || warning == "" {
					t.Errorf("warning %q, error %v", warning, err)
				}
			}
			for _, run := range must(filepath.Glob(filepath.Join(dir, ".ecrlayer", "run-*.json"))) {
				if content := string(must(os.ReadFile(run))); strings.Count(content, mine.ImageDigest.Encoded()) != 1 {
					t.Errorf("the run is %s", content)
				}
			}
			writeFile(t, blobPath(dir, other.ImageDigest), other.Manifests[0].Content)
			index := filepath.Join(dir, "index.json")
			writeFile(t, index, strings.Replace(string(must(os.ReadFile(index))), "artifact.manifest", "image.manifest", 1))
			remove(t, dir, "none", "", nil)
			expectBlobs(t, dir, other)
			if got := own(t, dir); !slices.Equal(got, []string{"lock"}) {
				t.Errorf("these files are left: %v", got)
			}
		})
	}
}

func TestAnIndexMayNameWhatIsNotThere(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	one := r.push(t, "1.0", "one", "shared")
	image := one.Manifests[0]
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{
		{MediaType: image.MediaType, Digest: image.Digest, Size: image.Size},
		{MediaType: "application/vnd.example+json", Digest: digest.FromString("unknown"), Size: 7},
	}}
	index.SchemaVersion = 2
	r.PutManifest(account, region, repository, "all", index.MediaType, must(json.Marshal(index)))
	all := layout.Image{Key: "all", Graph: must(r.client.Graph(t.Context(), ecrlayer.Repository{Name: repository}, ecrlayer.ImageReference{Tag: "all"}, ""))}
	write(t, r, dir, all, nil)
	other := r.push(t, "1.1", "two", "shared")
	record := write(t, r, dir, other, nil)
	remove(t, dir, other.Key, "", record)
	expectBlobs(t, dir, all)

	// An entry may not, even if an index names it too.
	write(t, r, dir, one, nil)
	record = write(t, r, dir, other, nil)
	if err := os.Remove(blobPath(dir, image.Digest)); err != nil {
		t.Fatal(err)
	}
	if warning, err := layout.New(dir).Remove(t.Context(), other.Key, "", record); err != nil || !strings.Contains(warning, "the entry "+image.Digest.String()) {
		t.Errorf("warning %q, error %v", warning, err)
	}
}

func TestEntriesAreRemovedByTheirOwnersOnly(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	image, next := r.push(t, "1.0", "one", "shared"), r.push(t, "1.1", "two", "shared")
	first, second := image, image
	first.Owner, second.Owner, next.Owner = "first", "second", "first"
	record := write(t, r, dir, first, nil)
	write(t, r, dir, second, nil)
	// The first one turns to another image, after the second one has taken over its entry.
	record, warning, err := layout.New(dir).Write(t.Context(), r.client, next, first.Key, record, &atomic.Int64{})
	if err != nil || warning != "" {
		t.Fatalf("warning %q, error %v", warning, err)
	}
	expectBlobs(t, dir, image, next)
	remove(t, dir, image.Key, "first", record)
	expectBlobs(t, dir, image, next)
	remove(t, dir, image.Key, "second", nil)
	expectBlobs(t, dir, next)
}

func TestRemoveWithoutALayout(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "gone")
	if warning, err := layout.New(dir).Remove(t.Context(), "1.0", "", layout.Record{digest.FromString("one"): {}}); warning != "" || err != nil {
		t.Errorf("warning %q, error %v", warning, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was created: %v", err)
	}
	if entry, err := layout.New(dir).Find("1.0"); entry != nil || err != nil {
		t.Errorf("an entry was found: %v, %v", entry, err)
	}
}

func TestLostIndexIsWrittenAgain(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	image := r.push(t, "1.0", "one")
	write(t, r, dir, image, nil)
	if err := os.Remove(filepath.Join(dir, "index.json")); err != nil {
		t.Fatal(err)
	}
	before := r.fetched()
	write(t, r, dir, image, nil)
	if after := r.fetched(); !maps.Equal(after, before) {
		t.Errorf("the downloads were %v, then %v", before, after)
	}
	if entry, err := layout.New(dir).Find(image.Key); err != nil || entry == nil || entry.Digest != image.ImageDigest || entry.RefName != "1.0" {
		t.Errorf("the entry is %v, %v", entry, err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	first, second := r.push(t, "1.0", "one"), r.push(t, "1.1", "two")
	write(t, r, dir, first, nil)
	second.RefName = first.RefName
	_, _, err := layout.New(dir).Write(t.Context(), r.client, second, second.Key, nil, &atomic.Int64{})
	if conflict, ok := errors.AsType[*layout.NameError](err); !ok || conflict.Digest != first.ImageDigest || conflict.RefName != "1.0" {
		t.Errorf("the error is %v", err)
	}
	expectBlobs(t, dir, first)
	second.RefName = ""
	write(t, r, dir, second, nil)
	expectBlobs(t, dir, first, second)
}

func TestWriteErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(t *testing.T, dir string, image layout.Image)
		want    string
	}{
		"a file in place of the directory": {func(t *testing.T, dir string, _ layout.Image) {
			t.Helper()
			writeFile(t, dir, "")
		}, "not a directory"},
		"a directory in place of a blob": {func(t *testing.T, dir string, _ layout.Image) {
			t.Helper()
			if err := os.MkdirAll(filepath.Join(blobPath(dir, digest.FromString("one")), "sub"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "rename"},
		"an index that is not JSON": {func(t *testing.T, dir string, _ layout.Image) {
			t.Helper()
			writeFile(t, filepath.Join(dir, "index.json"), "{")
		}, "index.json is not a valid index"},
		"an index that is null": {func(t *testing.T, dir string, _ layout.Image) {
			t.Helper()
			writeFile(t, filepath.Join(dir, "index.json"), "null")
		}, "index.json is not a valid index"},
		"an index of something else": {func(t *testing.T, dir string, _ layout.Image) {
			t.Helper()
			writeFile(t, filepath.Join(dir, "index.json"), `{"manifests":["one"]}`)
		}, "index.json is not a valid index"},
		"a full disk": {func(t *testing.T, dir string, _ layout.Image) {
			t.Helper()
			if runtime.GOOS != "linux" {
				t.Skip("Linux has /dev/full")
			}
			part := filepath.Join(dir, ".ecrlayer", "sha256-"+digest.FromString("one").Encoded()+".part")
			if err := errors.Join(os.MkdirAll(filepath.Dir(part), 0o700), os.Symlink("/dev/full", part)); err != nil {
				t.Fatal(err)
			}
		}, "no space left on device"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, dir := newRegistry(t), filepath.Join(t.TempDir(), "cache")
			image := r.push(t, "1.0", "one")
			test.prepare(t, dir, image)
			_, _, err := layout.New(dir).Write(t.Context(), r.client, image, image.Key, nil, &atomic.Int64{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
			if entry, _ := layout.New(dir).Find(image.Key); entry != nil {
				t.Errorf("index.json has the entry %v", entry)
			}
		})
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// newLarge returns a layer of several parts.
func newLarge() string { return strings.Repeat("0123456789abcdef", 20<<20/16) }

func TestFailedWriteIsContinued(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	image := r.push(t, "1.0", "small", newLarge())
	large := digest.FromString(newLarge()).String()
	part := filepath.Join(dir, ".ecrlayer", "sha256-"+digest.Digest(large).Encoded())
	ctx, interrupt := context.WithCancel(t.Context())
	r.Inject(ecrtest.Fault{
		Service: "s3",
		Match:   func(call ecrtest.Call) bool { return strings.HasPrefix(call.Range, "bytes=16777216-") },
		Rewrite: func(body []byte) []byte {
			for finished := ""; finished != "0\n1\n" && finished != "1\n0\n"; time.Sleep(time.Millisecond) {
				content, _ := os.ReadFile(part + ".done")
				finished = string(content)
			}
			interrupt()
			return body[:0]
		},
	})
	if _, _, err := layout.New(dir).Write(ctx, r.client, image, image.Key, nil, &atomic.Int64{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
	blobs(t, dir)
	lock := flock.New(part + ".lock")
	if free, err := lock.TryLock(); !free || err != nil {
		t.Errorf("the part is still locked: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	r.ClearFaults()
	before := len(r.Calls())
	var done atomic.Int64
	if _, _, err := layout.New(dir).Write(t.Context(), r.client, image, image.Key, nil, &done); err != nil {
		t.Fatal(err)
	}
	expectBlobs(t, dir, image)
	for _, call := range r.Calls()[before:] {
		if call.Service == "s3" && call.References[0] == large && !strings.HasPrefix(call.Range, "bytes=16777216-") {
			t.Errorf("the part %s was downloaded again", call.Range)
		}
	}
	if done.Load() != image.Size() || !slices.Equal(own(t, dir), []string{"lock"}) {
		t.Errorf("%d of %d bytes; these files are left: %v", done.Load(), image.Size(), own(t, dir))
	}
	// As when the lock of the layout was busy for long.
	writeFile(t, part+".lock", "")
	image.Key, image.RefName = "other", ""
	write(t, r, dir, image, nil)
	if got := own(t, dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("these files are left: %v", got)
	}
}

func TestWhatCannotBeRemovedIsRemovedByTheNextRun(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	image, next := r.push(t, "1.0", "one", "shared"), r.push(t, "1.1", "two", "shared")
	next.Key = image.Key
	record := write(t, r, dir, image, nil)
	block := func(layer string) (path string) {
		path = blobPath(dir, digest.FromString(layer))
		if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "file"), 0o700)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	blocked := block("one")
	record, warning, err := layout.New(dir).Write(t.Context(), r.client, next, next.Key, record, &atomic.Int64{})
	if err != nil || !strings.Contains(warning, "What is no longer needed was not removed: ") || !strings.Contains(warning, blocked) {
		t.Fatalf("warning %q, error %v", warning, err)
	}
	if err := os.RemoveAll(blocked); err != nil {
		t.Fatal(err)
	}
	blocked = block("two")
	if warning, err := layout.New(dir).Remove(t.Context(), next.Key, "", record); err == nil || !strings.Contains(err.Error(), blocked) {
		t.Fatalf("warning %q, error %v", warning, err)
	}
	if entry, err := layout.New(dir).Find(next.Key); entry == nil || err != nil {
		t.Fatalf("the entry is %v, %v", entry, err)
	}
	if err := os.RemoveAll(blocked); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, next.Key, "", record)
	expectBlobs(t, dir)
	if got := own(t, dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("these files are left: %v", got)
	}
}

func TestFailedWriteIsRemovedWithAnotherImage(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	other := r.push(t, "other", "shared")
	record := write(t, r, dir, other, nil)
	failing := r.push(t, "1.0", "shared", "one", newLarge())
	large := digest.FromString(newLarge()).String()
	r.Inject(ecrtest.Fault{Service: "s3", Status: 404, Match: func(call ecrtest.Call) bool {
		return call.References[0] == large && !strings.HasPrefix(call.Range, "bytes=0-")
	}, Rewrite: func(body []byte) []byte {
		for _, err := os.Stat(blobPath(dir, digest.FromString("one"))); err != nil; _, err = os.Stat(blobPath(dir, digest.FromString("one"))) {
			time.Sleep(time.Millisecond)
		}
		return body
	}})
	if _, _, err := layout.New(dir).Write(t.Context(), r.client, failing, failing.Key, nil, &atomic.Int64{}); err == nil {
		t.Fatal("no error")
	}
	if len(blobs(t, dir)) <= len(digests(other)) {
		t.Fatal("the failed download left nothing")
	}
	remove(t, dir, other.Key, "", record)
	expectBlobs(t, dir)
	if got := own(t, dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("these files are left: %v", got)
	}
}

func TestRunsMayBeKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	const variable = "LAYOUT_TEST_RUN"
	if run := strings.Split(os.Getenv(variable), "\n"); len(run) > 1 {
		r := &registry{url: run[0], user: ecrtest.Credentials{AccessKeyID: run[1], SecretAccessKey: run[2]}}
		r.connect()
		image := layout.Image{}
		if run[3] != "" {
			image = r.image(t, run[3])
		}
		image.Key = "app"
		fmt.Print("ready")
		if image.Graph == nil {
			remove(t, run[4], image.Key, "", nil)
		} else {
			write(t, r, run[4], image, nil)
		}
		return
	}
	r, dir := newRegistry(t), t.TempDir()
	var layers []string
	for n := range 40 {
		layers = append(layers, strings.Repeat("layer", 1000*n+1))
	}
	images := []layout.Image{r.push(t, "1.0", layers[:30]...), r.push(t, "2.0", layers[10:]...), {}}
	for n := range 48 {
		image := images[n/4%3]
		if n%4 < 3 {
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
			run.Env = append(os.Environ(), variable+"="+strings.Join([]string{r.url, r.user.AccessKeyID, r.user.SecretAccessKey, image.RefName, dir}, "\n"))
			output := must(run.StdoutPipe())
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(output, make([]byte, len("ready"))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(rand.N(60 * time.Millisecond))
			if err := run.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			_ = run.Wait()
			continue
		}
		image.Key = "app"
		if image.Graph == nil {
			remove(t, dir, image.Key, "", nil)
			expectBlobs(t, dir)
		} else {
			write(t, r, dir, image, nil)
			expectBlobs(t, dir, image)
		}
		if got := own(t, dir); !slices.Equal(got, []string{"lock"}) {
			t.Errorf("these files are left: %v", got)
		}
	}
}

func TestRunningDownloadsAreNotRemoved(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	old := r.push(t, "old", "shared", "old")
	record := write(t, r, dir, old, nil)
	running := r.push(t, "1.0", "shared", "hangs")
	requested, resume := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r.Inject(ecrtest.Fault{Service: "s3", Rewrite: func(body []byte) []byte {
		once.Do(func() { close(requested) })
		<-resume
		return body
	}})
	ended := make(chan error)
	go func() {
		_, _, err := layout.New(dir).Write(t.Context(), r.client, running, running.Key, nil, &atomic.Int64{})
		ended <- err
	}()
	<-requested
	remove(t, dir, old.Key, "", record)
	close(resume)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	expectBlobs(t, dir, running)
	if got := r.fetched()[digest.FromString("shared").String()]; got != 1 {
		t.Errorf("the shared blob was requested %d times", got)
	}
}

func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	var images []layout.Image
	for i := range 8 {
		images = append(images, r.push(t, strconv.Itoa(i), newLarge(), "shared", "also shared", fmt.Sprint("own ", i)))
	}
	images = append(images, images...) // Each by two runs.
	errs := make([]error, len(images))
	var runs sync.WaitGroup
	for i, image := range images {
		runs.Go(func() {
			l := layout.New(dir)
			if _, _, errs[i] = l.Write(t.Context(), r.client, image, image.Key, nil, &atomic.Int64{}); errs[i] != nil {
				return
			}
			if entry, err := l.Find(image.Key); entry == nil { // While others write.
				errs[i] = fmt.Errorf("%s has no entry: %w", image.Key, err)
			}
		})
	}
	runs.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	expectBlobs(t, dir, images...)
	for d, requests := range r.fetched() {
		want := 1
		if d == digest.FromString(newLarge()).String() {
			want = 3 // parts
		}
		if requests != want {
			t.Errorf("%s was requested %d times", d, requests)
		}
	}
	entries := must(must(ggcr.ImageIndexFromPath(dir)).IndexManifest()).Manifests
	if len(entries) != 8 {
		t.Errorf("%d entries, want 8", len(entries))
	}
	if got := own(t, dir); !slices.Equal(got, []string{"lock"}) {
		t.Errorf("these files are left: %v", got)
	}

	// Destroying half of them leaves the others.
	for i, image := range images[:4] {
		runs.Go(func() { _, errs[i] = layout.New(dir).Remove(t.Context(), image.Key, "", nil) })
	}
	runs.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	expectBlobs(t, dir, images[4:8]...)
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r, dir := newRegistry(t), t.TempDir()
	image := r.push(t, "1.0", "one")
	ctx, cancel := context.WithCancel(t.Context())
	r.Inject(ecrtest.Fault{Service: "s3", Hang: true})
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			_, _, err := layout.New(dir).Write(ctx, r.client, image, image.Key, nil, &atomic.Int64{})
			ended <- err
		}()
	}
	for len(r.fetched()) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for range 2 {
		// One waits for a response, the other for the first.
		err := <-ended
		if call, ok := errors.AsType[*ecrlayer.CallError](err); !errors.Is(err, context.Canceled) && (!ok || !call.Canceled()) {
			t.Errorf("the error is %v", err)
		}
	}
}
