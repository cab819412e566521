//go:build !race

// Reading is done by one goroutine, and the race detector makes 300,000 problems take a minute.

package pipefile

import (
	"bytes"
	"fmt"
	"testing"
)

// All stages may be wrong, or one in a million ways: neither may take long.
func TestStream_ManyProblemsAreFoundFast(t *testing.T) {
	var data bytes.Buffer
	data.WriteString(`{"stages": [{"name": "a", "after": ["x0"`)
	for i := range 300_000 {
		fmt.Fprintf(&data, `, "x%d"`, i)
	}
	data.WriteString("]}")
	for i := range 300_000 {
		fmt.Fprintf(&data, `, {"name": "s%d", "after": ["s%d"]}`, i, (i+1)%300_000)
	}
	data.WriteString("]}")
	_, err := Parse("p.json", data.Bytes(), nil)
	checkError(t, data.Bytes(), err)
}
