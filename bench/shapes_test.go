package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/godags/godags/internal/pipefile"
)

func TestShapesAreWhatTheirNamesSay(t *testing.T) {
	for _, test := range []struct {
		pipeline
		edges, levels int
	}{
		{warmUp, 40, 3},
		{chain200, 199, 200},
		{fan5000, 10_000, 3},
		{layers5000, 49*100*3 + 100, 51},
		{shell500, 9*50*3 + 50, 11},
		{stragglers, 20, 11},
		{pauses, 149, 150},
		{yaml10000, 99*100*3 + 100, 101},
		{json10000, 99*100*3 + 100, 101},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), test.name)
			if err := test.shape.write(path); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sp, err := pipefile.Parse(path, text, nil)
			if err != nil {
				t.Fatal(err)
			}
			g := sp.Graph
			got := fmt.Sprintf("%d stages, %d edges, %d levels", g.Len(), g.Edges(), len(g.Levels()))
			if want := fmt.Sprintf("%d stages, %d edges, %d levels", test.stages, test.edges, test.levels); got != want {
				t.Errorf("it has %s, want %s", got, want)
			}
		})
	}
}

func TestLayersAreTheSameEachTime(t *testing.T) {
	var first []stage
	for s := range layers5000.shape {
		first = append(first, s)
	}
	i := 0
	for s := range layers5000.shape {
		if fmt.Sprint(s) != fmt.Sprint(first[i]) {
			t.Fatalf("stage %d is %v, and was %v", i, s, first[i])
		}
		i++
	}
}
