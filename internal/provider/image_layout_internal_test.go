// Copyright (c) The terraform-provider-ecrlayer authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"
)

// lockedBuffer is a buffer that is written while it is read.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestDownloadsLogTheirProgress(t *testing.T) {
	t.Parallel()
	var (
		log  lockedBuffer
		done atomic.Int64
	)
	m := &imageLayoutModel{Directory: types.StringValue("cache")}
	m.RepositoryName, m.ImageTag = types.StringValue("team/app"), types.StringValue("1.0")
	stop := logProgress(tflogtest.RootLogger(t.Context(), &log), time.Millisecond, &done, 1000, m)
	done.Store(500)
	for !strings.Contains(log.String(), `"bytes":500`) {
		time.Sleep(time.Millisecond)
	}
	stop()
	after := log.String()
	line := after[strings.LastIndex(strings.TrimSpace(after), "\n")+1:]
	for _, want := range []string{`"@level":"info"`, `"@message":"Downloading an image"`, `"bytes":500`, `"of_bytes":1000`, `"directory":"cache"`, "team/app:1.0"} {
		if !strings.Contains(line, want) {
			t.Errorf("the line is %s, want %s", line, want)
		}
	}
	time.Sleep(10 * time.Millisecond)
	if log.String() != after {
		t.Error("the log goes on after the download")
	}
}

func TestInterruptIsNoErrorOfTheDirectory(t *testing.T) {
	t.Parallel()
	d := (&imageLayoutModel{Directory: types.StringValue("cache")}).directoryError(fmt.Errorf("reading: %w", context.Canceled))
	if _, ok := d.(diag.DiagnosticWithPath); ok || d.Summary() != "Interrupted" || !strings.Contains(d.Detail(), "cache") {
		t.Errorf("the diagnostic is %#v", d)
	}
}
