// Package wine classifies wines by their chemistry with a random forest whose trees are grown in
// parallel.
//
//	                        .--> grow_1 --.
//	ingest --> preprocess --+--> ...    --+--> merge --> accuracy
//	                        '--> grow_8 --'
//
// Values travel between the stages in both ways that there are: along typed edges, and by key.
package wine

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"

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

// Data is what preprocess hands on: wines to learn from and wines to be tested with, all features
// between 0 and 1.
type Data struct {
	Classes     int
	Train, Test []forest.Sample
}

// Pipeline returns the pipeline "wine". Options choose, for example, where its values live.
func Pipeline(opts ...godags.Option) *godags.Pipeline {
	p := godags.New("wine", opts...)
	wines := godags.Produce(p, "ingest", ingest)
	data := godags.Then(p, "preprocess", preprocess, wines)
	merged := godags.Produce(p, "merge", merge)
	for i := range growers {
		merged.After(godags.Then(p, fmt.Sprintf("grow_%d", i+1), grow(i), data))
	}

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

func treesKey(grower int) string { return fmt.Sprintf("trees/%d", grower) }

// grow returns the function of one grower. It stores its trees by key, since merge has more inputs
// than an edge can carry.
func grow(grower int) func(context.Context, Data) (int, error) {
	return func(ctx context.Context, data Data) (int, error) {
		grown := make([]forest.Tree, trees)
		for i := range grown {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			grown[i] = forest.Grow(data.Train, data.Classes, seed, grower*trees+i)
		}

		godags.Printf(ctx, "%d trees\n", trees)
		return trees, godags.Put(ctx, treesKey(grower), grown)
	}
}

func merge(ctx context.Context) ([]forest.Tree, error) {
	var all []forest.Tree
	for i := range growers {
		grown, err := godags.Get[[]forest.Tree](ctx, treesKey(i))
		if err != nil {
			return nil, err
		}
		all = append(all, grown...)
	}

	godags.Printf(ctx, "a forest of %d trees\n", len(all))
	return all, nil
}

func accuracy(ctx context.Context, all []forest.Tree, data Data) (string, error) {
	f := forest.Forest{Classes: data.Classes, Trees: all}
	result := fmt.Sprintf("Accuracy: %.4f", f.Accuracy(data.Test))
	godags.Printf(ctx, "%s\n", result)
	return result, nil
}
