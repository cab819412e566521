package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
)

// An entry is a value as Disk and Redis keep it: one line of text, then the value, raw or
// compressed.
//
//	<checksum> <raw|zstd> <bytes of the value>\n<payload>
//
// The checksum covers the key of the value and everything behind the checksum. So an entry that was
// moved to another key counts as damaged, like a truncated one.

const (
	compressAbove = 64 << 10 // bytes of a value
	sumLength     = 16       // hex digits of a checksum
	// A zstd block makes at most 128 KiB out of at least 4 bytes, so a larger claim is wrong.
	maxRatio = 128 << 10 / 4
)

// damage is the error for an entry that is damaged.
type damage string

func (d damage) Error() string { return string(d) }

var (
	compressor = sync.OnceValue(func() *zstd.Encoder {
		return must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false)))
	})
	decompressor = sync.OnceValue(func() *zstd.Decoder {
		return must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)),
			zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(1<<62)))
	})
)

// must is for constructors that fail only on wrong options: the options are constant.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// encode returns the entry of a value: a header, and a payload that may be the value itself.
func encode(key Key, value []byte) (header, payload []byte) {
	// Compression of small values would save less than a network packet, and cost more than the
	// copy.
	encoding := "raw"
	payload = value
	if len(value) > compressAbove {
		if packed := compressor().EncodeAll(value, nil); len(packed) < len(value) {
			encoding = "zstd"
			payload = packed
		}
	}

	covered := fmt.Sprintf("%s %d\n", encoding, len(value))
	return []byte(checksum(key, []byte(covered), payload) + " " + covered), payload
}

// decode returns the value of an entry, which may share the entry's memory. An error is a damage.
// An entry whose value has more than most bytes counts as damaged.
func decode(key Key, entry []byte, most int64) ([]byte, error) {
	line, payload, found := bytes.Cut(entry, []byte("\n"))
	if !found || len(line) <= sumLength || line[sumLength] != ' ' {
		return nil, damage("it has no header")
	}

	sum := entry[:sumLength]
	covered := entry[sumLength+1 : len(line)+1]
	if string(sum) != checksum(key, covered, payload) {
		return nil, damage("its checksum is wrong")
	}

	// The size is checked before anything is unpacked: the checksum is no signature, and a few
	// bytes can claim to be many.
	encoding, digits, _ := bytes.Cut(line[sumLength+1:], []byte(" "))
	size, err := strconv.Atoi(string(digits))
	if err != nil {
		return nil, damage("its size is not a number")
	}
	if int64(size) > most {
		return nil, damage(fmt.Sprintf("it says that it has %d bytes, and the cache takes %d", size, most))
	}

	return unpack(string(encoding), payload, size)
}

func unpack(encoding string, payload []byte, size int) ([]byte, error) {
	switch {
	case encoding == "raw" && size == len(payload):
		return payload, nil
	case encoding != "zstd" || size < 0 || size/maxRatio > len(payload):
		return nil, damage("its header is wrong")
	}

	// The capacity is the size that the header claims: the decoder makes nothing larger.
	value, err := decompressor().DecodeAll(payload, make([]byte, 0, size))
	if err != nil {
		return nil, damage(err.Error())
	}
	if len(value) != size {
		return nil, damage("its size is wrong")
	}

	return value, nil
}

// checksum returns the checksum of key, header and payload.
func checksum(key Key, header, payload []byte) string {
	// The length keeps bytes from moving between the two parts of the key. Writes never fail.
	h := xxhash.New()
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(key.Run))))
	h.WriteString(key.Run)
	h.WriteString(key.Name)
	h.Write(header)

	// The runtime cannot interrupt one call for hundreds of megabytes.
	for piece := range slices.Chunk(payload, 1<<20) {
		h.Write(piece)
	}
	return fmt.Sprintf("%0*x", sumLength, h.Sum64())
}
