package forest_test

import (
	"fmt"
	"log"
	"os"

	"github.com/godags/godags/examples/wine/forest"
)

func Example() {
	file, err := os.Open("../wine.csv")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	wines, err := forest.ReadCSV(file)
	if err != nil {
		log.Fatal(err)
	}
	const seed = 42
	train, test, err := forest.Split(wines, 0.2, seed)
	if err != nil {
		log.Fatal(err)
	}
	scaler := forest.MinMax(train)
	train, test = scaler.Apply(train), scaler.Apply(test)

	f := forest.Forest{Classes: wines.Classes}
	for i := range 100 {
		f.Trees = append(f.Trees, forest.Grow(train, wines.Classes, seed, i))
	}
	fmt.Printf("Accuracy: %.2f\n", f.Accuracy(test))
	// Output: Accuracy: 1.00
}
