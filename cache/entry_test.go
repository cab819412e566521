package cache

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func encoded(key Key, value []byte) []byte {
	header, payload := encode(key, value)
	return slices.Concat(header, payload)
}

// FuzzEncode: an encoded value comes back, and under no other key or length.
func FuzzEncode(f *testing.F) {
	f.Add("wine-1", "features", []byte("json\n{}"), uint8(1))
	f.Add("", "", []byte(nil), uint8(0))
	f.Add("ab", "c", []byte("x"), uint8(200)) // repeated, it is compressed
	f.Fuzz(func(t *testing.T, run, name string, value []byte, times uint8) {
		key := Key{run, name}
		if times > 0 {
			value = bytes.Repeat(value, int(times)*int(times))
		}
		entry := encoded(key, value)
		got, err := decode(key, entry, 1<<40)
		if err != nil || !bytes.Equal(got, value) {
			t.Fatalf("got %d bytes and error %v, want %d bytes", len(got), err, len(value))
		}
		others := []Key{{run + "x", name}, {run, name + "x"}, {name + run, ""}, {"", run + name}, {run, strings.Repeat("n", len(name))}}
		for _, other := range others {
			if _, err := decode(other, entry, 1<<40); err == nil && other != key {
				t.Errorf("the entry of %v is taken for %v", key, other)
			}
		}
		for _, cut := range [][]byte{entry[:len(entry)-1], entry[1:], append(slices.Clip(entry), 0)} {
			if _, err := decode(key, cut, 1<<40); err == nil {
				t.Errorf("a damaged entry is taken: %q", cut)
			}
		}
	})
}

// FuzzDecode has entries whose checksum is right, so that what lies behind it is reached.
func FuzzDecode(f *testing.F) {
	key := Key{"run", "name"}
	_, packed := encode(key, bytes.Repeat([]byte("abc "), 50_000))
	f.Add("zstd", 200_000, packed)
	f.Add("zstd", math.MaxInt, packed)
	f.Add("zstd", 0, []byte{})
	f.Add("zstd", -1, packed)
	f.Add("raw", 3, []byte("abc"))
	f.Add("raw", 4, []byte("abc"))
	f.Add("lz4", 3, []byte("abc"))
	f.Fuzz(func(t *testing.T, encoding string, size int, payload []byte) {
		header := encoding + " " + strconv.Itoa(size) + "\n"
		entry := slices.Concat([]byte(checksum(key, []byte(header), payload)+" "+header), payload)
		value, err := decode(key, entry, 1<<40)
		if err == nil && len(value) != size {
			t.Errorf("got %d bytes from an entry of %d", len(value), size)
		}
		if _, err := decode(key, payload, 1<<40); err == nil && len(payload) < sumLength {
			t.Errorf("an entry without a checksum is taken: %q", payload)
		}
	})
}

func FuzzParseHead(f *testing.F) {
	f.Add([]byte("chunks ABC 3\nheader\n"))
	f.Add(encoded(Key{"run", "name"}, []byte("value")))
	f.Add([]byte("chunks ABC -1\n"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		version, count, header, chunked := parseHead(stored)
		if !chunked {
			return
		}
		again, count2, header2, ok := parseHead(formatHead(version, count, header))
		if count < 1 || !ok || again != version || count2 != count || !bytes.Equal(header, header2) {
			t.Errorf("%q is read as version %q, %d chunks, header %q, and not so again", stored, version, count, header)
		}
	})
}

func TestEncode_KeepsWhatDoesNotShrink(t *testing.T) {
	for name, test := range map[string]struct {
		value []byte
		kept  bool
	}{
		"small":        {bytes.Repeat([]byte("a"), compressAbove), true},
		"compressible": {bytes.Repeat([]byte("a"), compressAbove+1), false},
	} {
		if _, payload := encode(Key{}, test.value); (len(payload) == len(test.value)) != test.kept {
			t.Errorf("%s: %d bytes became %d", name, len(test.value), len(payload))
		}
	}
}

// The checksum is no signature: a few bytes with a right checksum can claim to be many.
func TestDecode_UnpacksNoMoreThanACacheTakes(t *testing.T) {
	key := Key{"run", "name"}
	entry := encoded(key, make([]byte, 32<<20))
	if len(entry) > 64<<10 {
		t.Fatalf("the entry has %d bytes", len(entry))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := decode(key, entry, 1<<20)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 1<<20 {
		t.Errorf("it took %d bytes, %v", took, err)
	}
	if value, err := decode(key, entry, 32<<20); err != nil || len(value) != 32<<20 {
		t.Errorf("got %d bytes, %v", len(value), err)
	}
}
