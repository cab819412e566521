// Package simple is the smallest pipeline worth looking at: six stages, some of which can run side
// by side.
//
//	stage_1 ------------> stage_5 --.
//	stage_2 --> stage_3 -------------+--> stage_6
//	       '--> stage_4 -------------'
package simple

import (
	"context"
	"fmt"

	"github.com/godags/godags"
)

// Pipeline returns the pipeline "simple".
func Pipeline() *godags.Pipeline {
	p := godags.New("simple")
	stage := func(n int) *godags.Stage {
		return p.Do(fmt.Sprintf("stage_%d", n), func(ctx context.Context) error {
			godags.Printf(ctx, "Running stage %d\n", n)
			return nil
		})
	}

	s1 := stage(1)
	s2 := stage(2)
	s3 := stage(3).After(s2)
	s4 := stage(4).After(s2)
	s5 := stage(5).After(s1)
	stage(6).After(s3, s4, s5)
	return p
}
