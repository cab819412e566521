package picture

import (
	"fmt"
	"github.com/godags/godags/dag"
	"math/rand"
	"os"
	"testing"
)

func TestVV(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	stems := []string{"load", "clean", "fit", "score", "plot"}
	g := mk(t, func(b *dag.Builder) {
		for l := range 8 {
			for _, st := range stems {
				for i := range 20 {
					var after []string
					if l > 0 {
						for range 2 {
							after = append(after, fmt.Sprintf("%s%d_%d", stems[r.Intn(5)], max(0, l-1-r.Intn(2)), i))
						}
						after = append(after, fmt.Sprintf("%s%d_%d", st, l-1, i))
					}
					b.Add(fmt.Sprintf("%s%d_%d", st, l, i), after...)
				}
			}
		}
	})
	for _, f := range writers {
		file, _ := os.Create("/tmp/pic/stems." + string(f.format))
		if err := Draw(file, Input{Name: `stems`, Run: "r#1", Graph: g, State: func(s dag.StageID) dag.State { return dag.State(s / 8 % 7) }}, f.format); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
}
