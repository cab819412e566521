// Package wine classifies wines by their chemistry with a random forest whose trees are grown in
// parallel.
//
//	                        .--> grow_1 --.
//	ingest --> preprocess --+--> ...    --+--> merge --> accuracy
//	                        '--> grow_8 --'
//
// All values travel along typed edges. Wines and trees are JSON in Redis, unless an option of
// [Pipeline] says otherwise.
package wine

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"slices"

	"github.com/godags/godags"
	"github.com/godags/godags/examples/wine/forest"
)

//go:embed wine.csv
var csv []byte

const (
	seed      = 3   // of the split and of the trees: the result is the same each time
	testShare = 0.2 // of the wines, held back to measure the accuracy
	growers   = 8
	trees     = 15 // for each grower
)

// Data is the output of preprocess: wines to learn from and wines to test with, all features
// between 0 and 1.
type Data struct {
	Classes     int
	Train, Test []forest.Sample
}

// Pipeline returns the pipeline "wine". Options choose, for example, where its values live.
func Pipeline(opts ...godags.PipelineOption) *godags.Pipeline {
	p := godags.New("wine", opts...)
	wines := godags.Produce(p, "ingest", ingest)
	data := godags.Then(p, "preprocess", preprocess, wines)

	grown := make([]godags.Output[[]forest.Tree], growers)
	for i := range grown {
		grown[i] = godags.Then(p, fmt.Sprintf("grow_%d", i+1), grow(i), data)
	}

	merged := godags.Collect(p, "merge", merge, grown)
	godags.Join(p, "accuracy", accuracy, merged, data)
	return p
}

func ingest(ctx context.Context) (forest.Dataset, error) {
	wines, err := forest.ReadCSV(bytes.NewReader(csv))
	if err == nil {
		godags.Printf(ctx, "%d wines of %d classes, %d features\n", len(wines.Samples), wines.Classes, len(wines.Features))
	}
	return wines, err
}

func preprocess(ctx context.Context, wines forest.Dataset) (Data, error) {
	train, test, err := forest.Split(wines, testShare, seed)
	if err != nil {
		return Data{}, err
	}
	scale := forest.MinMax(train)
	godags.Printf(ctx, "%d to learn from, %d to test with\n", len(train), len(test))
	return Data{wines.Classes, scale.Apply(train), scale.Apply(test)}, nil
}

// grow returns the function of one grower.
func grow(grower int) func(context.Context, Data) ([]forest.Tree, error) {
	return func(ctx context.Context, data Data) ([]forest.Tree, error) {
		grown := make([]forest.Tree, trees)
		for i := range grown {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			// The seed and the number of the tree fix its random choices, so that a repeated
			// attempt grows the same tree.
			grown[i] = forest.Grow(data.Train, data.Classes, seed, grower*trees+i)
		}

		godags.Printf(ctx, "%d trees\n", trees)
		return grown, nil
	}
}

func merge(ctx context.Context, grown [][]forest.Tree) ([]forest.Tree, error) {
	all := slices.Concat(grown...)
	godags.Printf(ctx, "a forest of %d trees\n", len(all))
	return all, nil
}

func accuracy(ctx context.Context, all []forest.Tree, data Data) (string, error) {
	f := forest.Forest{Classes: data.Classes, Trees: all}
	result := fmt.Sprintf("Accuracy: %.4f", f.Accuracy(data.Test))
	godags.Printf(ctx, "%s\n", result)
	return result, nil
}
