package version

import (
	"errors"
	"testing"
)

type object struct {
	Format int    `json:"format"`
	Name   string `json:"name"`
}

func TestDecode_TellsNewerFromDamaged(t *testing.T) {
	for text, newer := range map[string]bool{
		`{"format":2,"name":"a"}`:          true,
		`{"format":2,"name":["a"]}`:        true,
		`{"format":1,"name":"a","more":1}`: true,
		`{"format":1,"name":7}`:            false,
		`{"format":1,"name":7,"more":1}`:   false,
		`{"format":1,"name":"a"}{}`:        false,
		`{"format":1`:                      false,
		`{"format":2`:                      false,
		``:                                 false,
	} {
		var o object
		if err := Decode([]byte(text), &o, &o.Format); err == nil || errors.Is(err, ErrNewer) != newer {
			t.Errorf("%s: %v; want ErrNewer: %v", text, err, newer)
		}
	}

	var o object
	if err := Decode([]byte(` {"format":1,"name":"a"} `), &o, &o.Format); err != nil || o.Name != "a" {
		t.Errorf("%+v, %v", o, err)
	}
}
