// Command program is the pipeline of examples/languages as a separate program:
//
//	go run ./examples/languages/program run
package main

import (
	"github.com/godags/godags"
	"github.com/godags/godags/examples/languages"
)

func main() { godags.Main(languages.Pipeline()) }
