package cache

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// maxCodecName is the most bytes of a codec's name.
const maxCodecName = 32

// Marshal returns the stored form of v: the codec's name, a line break, and what the codec makes of
// v.
func Marshal(c Codec, v any) ([]byte, error) {
	name := c.Name()
	if !validCodecName(name) {
		return nil, fmt.Errorf("cache: illegal codec name %s: use 1 to %d lower-case letters, digits and dashes", quote(name), maxCodecName)
	}

	payload, err := c.Encode(v)
	if err != nil {
		return nil, fmt.Errorf("cache: encode %T with codec %q: %w", v, name, err)
	}

	return slices.Concat([]byte(name), []byte("\n"), payload), nil
}

// Unmarshal reads the stored form of a value into v, a pointer, with the codec that the stored form
// names: one of known, or else a built-in one.
func Unmarshal(data []byte, v any, known ...Codec) error {
	name, payload, err := Split(data)
	if err != nil {
		return err
	}
	if p := reflect.ValueOf(v); p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("cache: decode into %T: need a pointer that is not nil", v)
	}

	for _, c := range slices.Concat(known, []Codec{JSON, Gob, Raw}) {
		if c.Name() != name {
			continue
		}
		if err := c.Decode(payload, v); err != nil {
			return fmt.Errorf("cache: decode into %T with codec %q: %w", v, name, err)
		}
		return nil
	}

	return fmt.Errorf("cache: unknown codec %q: the reader of this value must be given the codec that wrote it", name)
}

// Split takes the stored form of a value apart. The payload shares data's memory.
func Split(data []byte) (codec string, payload []byte, err error) {
	end := bytes.IndexByte(data[:min(len(data), maxCodecName+1)], '\n')
	if end < 0 || !validCodecName(string(data[:end])) {
		return "", nil, errors.New("cache: not the stored form of a value: it must begin with the name of a codec and a line break")
	}
	return string(data[:end]), data[end+1:], nil
}

func validCodecName(name string) bool {
	for _, b := range []byte(name) {
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return len(name) > 0 && len(name) <= maxCodecName
}
