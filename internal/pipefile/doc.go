// Package pipefile reads pipelines from YAML and JSON files. Both formats have the same keys and
// the same rules:
//
//	name: wine                  # optional: else the name of the file without its extension
//	params: {trees: 100}        # optional, as are env, timeout, on_failure and defaults
//	stages:
//	  - name: ingest
//	    run: ./ingest.sh        # text is run by "sh -c", a list is a program with its arguments
//	  - name: train
//	    after: [ingest]         # one name, or a list
//	    task: train             # a task that the program knows, with its parameters
//	    params: {trees: 100}
//	    queue: gpu              # optional
//	  - name: done              # neither run nor task: a join point, which does nothing
//	    after: train
//
// Keys are rows of tables, in fields.go, stage.go, policy.go and declare.go: a row says how a key
// is called, what it is for, what its values look like, and what reads them. Files are read by the
// tables, and the JSON Schema for editors is made of them.
//
// Both readers make the same tree of values, so that everything which has a meaning is checked in
// one place, and every problem of a file is reported at once, with its position. YAML anchors,
// aliases and merge keys work.
package pipefile
