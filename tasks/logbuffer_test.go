package tasks

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// The naive model keeps everything and cuts it when it is read.
func TestLogBufferAgainstOneThatKeepsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		b, all := NewLogBuffer(limit), []byte(nil)
		for _, p := range rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 60)).Draw(t, "writes") {
			if n, err := b.Write(p); n != len(p) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			all = append(all, p...)
		}
		want := all
		if left := len(all) - limit; left > 0 {
			head, tail := all[:limit/4], all[limit/4+left:]
			for n := 1; n < utf8.UTFMax && n <= limit/4; n++ {
				if part := all[limit/4-n : limit/4]; !utf8.FullRune(part) {
					head = all[:limit/4-n]
				}
			}
			for n := 1; n < utf8.UTFMax && len(tail) > 0 && !utf8.RuneStart(tail[0]); n++ {
				tail = tail[1:]
			}
			left = len(all) - len(head) - len(tail)
			if len(head) > 0 && head[len(head)-1] != '\n' {
				head = append(bytes.Clone(head), '\n')
			}
			want = append(fmt.Appendf(bytes.Clone(head), "... %d bytes left out ...\n", left), tail...)
		}
		if got := b.Bytes(); !bytes.Equal(got, want) {
			t.Fatalf("limit %d:\ngot  %q\nwant %q", limit, got, want)
		}
		if b.Len() != int64(len(all)) {
			t.Fatalf("Len = %d, want %d", b.Len(), len(all))
		}
	})
}

func TestLogBuffer_CutsBetweenCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, written := NewLogBuffer(rapid.IntRange(1, 40).Draw(t, "limit")), ""
		for _, text := range rapid.SliceOf(rapid.StringN(0, 20, -1)).Draw(t, "writes") {
			for len(text) > 0 { // a pipe does not end between characters
				n := rapid.IntRange(1, len(text)).Draw(t, "bytes")
				fmt.Fprint(b, text[:n])
				written, text = written+text[:n], text[n:]
			}
		}
		kept := b.Bytes()
		if !utf8.Valid(kept) || strings.Contains(b.LastLine(), "\uFFFD") && !strings.Contains(written, "\uFFFD") {
			t.Fatalf("of %q: got %q, last line %q", written, kept, b.LastLine())
		}
		before, after, cut := strings.Cut(string(kept), "bytes left out ...\n")
		if !cut {
			return
		}
		head, left, _ := strings.Cut(before, "... ")
		var missing int
		fmt.Sscan(left, &missing)
		head = strings.TrimSuffix(head, "\n")
		if !strings.HasPrefix(written, head) || !strings.HasSuffix(written, after) || missing < len(written)-40 {
			t.Fatalf("of %q: got %q", written, kept)
		}
	})
}

func TestLogBufferKeepsTheDefaultAmount(t *testing.T) {
	var b LogBuffer
	fmt.Fprint(&b, strings.Repeat("a", 100<<10), strings.Repeat("z", 100<<10))
	want := strings.Repeat("a", 16<<10) + "\n... 139264 bytes left out ...\n" + strings.Repeat("z", 48<<10)
	if got := string(b.Bytes()); got != want {
		t.Errorf("%d bytes kept, want %d", len(got), len(want))
	}
}

func TestLastLine(t *testing.T) {
	for written, want := range map[string]string{
		"":                                       "",
		"\n\n \n":                                "",
		"one\ntwo\n":                             "two",
		"one\n\n  \r\n\x1b[0m\n":                 "one",
		"one\nstill wri":                         "still wri",
		"10%\r20%\r30%\r":                        "30%",
		"\x1b[1;31mred\x1b[0m wine\n":            "red wine",
		"\x1b]0;title\x07text\n":                 "text",
		"a\tb\x00\x07\u009bc\u202ed\n":           "a bd",
		"bad \xff\xfe bytes":                     "bad \uFFFD bytes",
		strings.Repeat("x", 300):                 strings.Repeat("x", 200),
		"x" + strings.Repeat("é", 300):           "x" + strings.Repeat("é", 99),
		strings.Repeat("x", 60<<10) + "\nlast\n": "last",
		"first\n" + strings.Repeat("\n", 70<<10): "",
	} {
		var b LogBuffer
		fmt.Fprint(&b, written)
		if got := b.LastLine(); got != want || !utf8.ValidString(got) {
			t.Errorf("of %.40q: got %q, want %q", written, got, want)
		}
	}
}

func TestLogBufferFromManyGoroutines(t *testing.T) {
	var b LogBuffer
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				fmt.Fprintln(&b, "a line of output")
				_, _, _ = b.Bytes(), b.LastLine(), b.Len()
			}
		})
	}
	wg.Wait()
	if got, want := string(b.Bytes()), strings.Repeat("a line of output\n", 4*500); got != want {
		t.Errorf("%d bytes are not the %d of whole lines", len(got), len(want))
	}
}

func BenchmarkLogBuffer(b *testing.B) {
	for _, size := range []int{80, 32 << 10} {
		b.Run(fmt.Sprintf("writes of %d bytes", size), func(b *testing.B) {
			var log LogBuffer
			p := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			for b.Loop() {
				_, _ = log.Write(p)
			}
		})
	}
}
