package spec

import "testing"

func TestCheckQueue_TellsLegalNames(t *testing.T) {
	for name, legal := range map[string]bool{"default": true, "gpu-1.x_Y": true, "": false, "a b": false, "a{b}": false, "é": false, string(make([]byte, 101)): false} {
		if err := CheckQueue(name); (err == nil) != legal {
			t.Errorf("%q: %v", name, err)
		}
	}
}
