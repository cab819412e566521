// Command coordinator runs pipelines: those of the examples that it is built with, and files.
package main

import (
	"github.com/godags/godags"
	"github.com/godags/godags/examples/simple"
	"github.com/godags/godags/examples/wine"
)

func main() { godags.Main(simple.Pipeline(), wine.Pipeline()) }
