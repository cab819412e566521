package spec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// packed compresses a header and what follows it.
func packed(t testing.TB, head string, rest []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	enc, err := zstd.NewWriter(&out) // a stream: the frame does not say how long it is
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{binary.AppendUvarint(nil, uint64(len(head))), []byte(head), rest} {
		if _, err := enc.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDecodeUnvouched_ReadsWhatIsCommon(t *testing.T) {
	b := &Builder{Name: "p"}
	for i := range 10_000 {
		b.Add(fmt.Sprintf("stage-%d", i), nil, Kind{Task: "command", Params: fmt.Appendf(nil, `{"command":"process part %d"}`, i)})
	}
	s, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeUnvouched(encoded); err != nil || describe(got) != describe(s) {
		t.Error(err)
	}
}
