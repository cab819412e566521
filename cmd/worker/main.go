// Command worker executes stages for runs on a Redis. Start one per core.
package main

import (
	"github.com/godags/godags"
	"github.com/godags/godags/examples/simple"
	"github.com/godags/godags/examples/wine"
)

func main() { godags.WorkerMain(simple.Pipeline(), wine.Pipeline()) }
