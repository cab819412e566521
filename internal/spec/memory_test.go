//go:build !race

// Decoding is done by one goroutine, and the race detector needs memory of its own.

package spec

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/godags/godags/internal/version"
)

// A few bytes from a writer without the key must not take much memory of a reader.
func TestDecodeUnvouched_TakesLittleMemory(t *testing.T) {
	stages := func(n int) []byte { // all with names of one byte, and without dependencies
		return append(append(bytes.Repeat([]byte("\x01a"), n), make([]byte, n)...), make([]byte, n)...)
	}
	head := func(n int, kinds string) string {
		return fmt.Sprintf(`{"format":%d,"name":"bomb","stages":%d,"edges":0,"kinds":[%s]}`, version.Format, n, kinds)
	}
	const many = 7 << 20
	for name, bomb := range map[string][]byte{
		"a long name":    packed(t, head(1, `{"task":"`+strings.Repeat("A", 64<<20)+`"}`), stages(1)),
		"many kinds":     packed(t, head(1, strings.Repeat("{},", 2<<20)+"{}"), stages(1)),
		"many stages":    packed(t, head(many, "{}"), stages(many)),
		"many, and more": packed(t, head(many, "{}"), append(stages(many), make([]byte, 64<<20)...)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := DecodeUnvouched(bomb)
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 900 || err == nil {
			t.Errorf("%s: %d bytes took %d MiB, %v", name, len(bomb), took, err)
		} else {
			t.Logf("%s: %d bytes took %d MiB, %v", name, len(bomb), took, err)
		}
	}
	if _, err := DecodeUnvouched(packed(t, head(1, `{"task":"`+strings.Repeat("A", 64<<20)+`"}`), stages(1))); !errors.Is(err, ErrUnvouched) {
		t.Errorf("a large pipeline: %v", err)
	}
}
