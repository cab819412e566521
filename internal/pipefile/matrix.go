package pipefile

import (
	"encoding/json"
	"strings"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/spec"
)

const (
	maxCells    = 10_000  // of a matrix
	maxAllCells = 100_000 // of all in a file
)

// matrix returns a mapping of names and lists of values from which cells can be made, or reports
// why there is none.
func (d *decoder) matrix(v value) (matrix value) {
	d.members("matrix", v, func() {
		before := d.reported()
		cells := 1
		for i := 0; i < len(v.items); i += 2 {
			d.axis(v.items[i], v.items[i+1])
			// The product is cut off at the limit, so that it cannot overflow.
			cells = min(cells*len(v.items[i+1].items), maxCells+1)
		}

		switch {
		case d.reported() > before:
		case len(v.items) == 0:
			d.report(int(v.at), "the matrix is empty: it takes names and lists of values")
		case cells > maxCells:
			d.report(int(v.at), "the matrix has more than %d cells: let a stage write them, and use for_each", maxCells)
		case d.cells+cells > maxAllCells:
			d.report(int(v.at), "the matrices of the file have more than %d cells: let a stage write them, and use for_each", maxAllCells)
		default:
			d.cells += cells
			matrix = v
		}
	})

	return matrix
}

// axis checks a name and its values.
func (d *decoder) axis(name, values value) {
	if err := spec.CheckVariable(name.text); err != nil {
		d.report(int(name.at), "matrix: %v", err)
	}

	if values.kind != list || len(values.items) == 0 {
		d.report(int(values.at), "matrix: %s must be a list of values", quote(name.text))
	}

	seen := make(map[string]bool)
	for _, v := range values.items {
		// Values with the same text would give two stages one name: 1 and "1", or a/b and a_b.
		shown := cellText(v)
		switch {
		case v.kind != text && v.kind != number && v.kind != boolean:
			d.report(int(v.at), "a value of a matrix is text, a number, true or false, not %v", v.kind)
		case shown == "" || dag.CheckName(shown) != nil:
			d.report(int(v.at), "a value of a matrix is part of the names of stages: %s cannot be", quote(v.text))
		case seen[shown]:
			d.report(int(v.at), "matrix: %s has %s twice", quote(name.text), quote(shown))
		}

		seen[shown] = true
	}
}

// cellText is a value in the name of a cell. Names have no slashes.
func cellText(v value) string { return strings.ReplaceAll(v.text, "/", "_") }

// cells returns the names and items of a stage's cells: the last axis goes round first.
func (st *stage) cells() (names []string, items []json.RawMessage) {
	axes := st.matrix.items
	at := make([]int, len(axes)/2)
	for {
		// The names do not use the index: they stay the same if another value is added, and so do
		// logs and outputs.
		label := make([]string, len(at))
		item := value{kind: mapping}
		for a, i := range at {
			v := axes[2*a+1].items[i]
			label[a] = axes[2*a].text + "=" + cellText(v)
			item.items = append(item.items, axes[2*a], v)
		}

		names = append(names, st.name.text+"["+strings.Join(label, ",")+"]")
		items = append(items, appendJSON(nil, item))
		a := len(at) - 1
		for ; a >= 0; a-- {
			if at[a]++; at[a] < len(axes[2*a+1].items) {
				break
			}
			at[a] = 0
		}

		if a < 0 {
			return names, items
		}
	}
}
