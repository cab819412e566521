package godags

import (
	"fmt"
	"reflect"

	"github.com/godags/godags/cache"
)

// Each codec below is JSON around another codec, and so has the name of JSON: the engine counts the
// elements of a list and joins the outputs of instances without the types of this program. Each
// element is encoded alone, since an instance gets it alone, and is base64 text in the JSON.

// elementCodec makes JSON of one element.
type elementCodec struct{ cache.Codec }

// elementOf returns the codec of single elements whose values another codec encodes.
func elementOf(c cache.Codec) cache.Codec {
	if isJSON(c) {
		return c
	}
	return elementCodec{c}
}

func isJSON(c cache.Codec) bool { return c.Name() == cache.JSON.Name() }

// Name implements [cache.Codec].
func (elementCodec) Name() string { return cache.JSON.Name() }

// Encode implements [cache.Codec].
func (c elementCodec) Encode(v any) ([]byte, error) {
	data, err := c.Codec.Encode(v)
	if err != nil {
		return nil, err
	}
	if data == nil {
		data = []byte{} // null is the output of a skipped instance
	}
	return cache.JSON.Encode(data)
}

// Decode implements [cache.Codec].
func (c elementCodec) Decode(data []byte, v any) error {
	var element []byte
	if err := cache.JSON.Decode(data, &element); err != nil {
		return err
	}
	if element == nil {
		return nil // of an instance that was skipped: the zero value
	}
	return c.Codec.Decode(element, v)
}

// listCodec makes JSON of a slice.
type listCodec struct{ element cache.Codec }

// listOf returns the codec of lists whose elements another codec encodes.
func listOf(c cache.Codec) cache.Codec {
	if isJSON(c) {
		return c // also a list that is mapped twice
	}
	return listCodec{c}
}

// Name implements [cache.Codec].
func (listCodec) Name() string { return cache.JSON.Name() }

// CheckType implements [cache.TypeChecker].
func (c listCodec) CheckType(t reflect.Type, read bool) error {
	return checkType(c.element, t.Elem(), read)
}

// Encode implements [cache.Codec].
func (c listCodec) Encode(v any) ([]byte, error) {
	list := reflect.ValueOf(v)
	elements := make([][]byte, list.Len())
	for i := range elements {
		data, err := c.element.Encode(list.Index(i).Interface())
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		elements[i] = data
	}

	return cache.JSON.Encode(elements)
}

// Decode implements [cache.Codec].
func (c listCodec) Decode(data []byte, v any) error {
	var elements [][]byte
	if err := cache.JSON.Decode(data, &elements); err != nil {
		return err
	}

	target := reflect.ValueOf(v).Elem()
	list := reflect.MakeSlice(target.Type(), len(elements), len(elements))
	for i, data := range elements {
		if data == nil {
			continue // of an instance that was skipped: the zero value
		}
		if err := c.element.Decode(data, list.Index(i).Addr().Interface()); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}

	target.Set(list)
	return nil
}
