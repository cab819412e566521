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
// The package has three layers, and a reporter that all of them share:
//
//   - Syntax: a source is read into a tree of values with positions, by jsonReader or yamlReader.
//     From here on the formats do not differ. YAML anchors, aliases and merge keys work.
//   - Schema: the decoder reads values into a pipeline, its stages and their policies, by tables of
//     keys (keys.go, stage.go, policy.go, declare.go). A row has the name of a key, its
//     description, the shape of its values, and the function that reads them. [Schema] makes the
//     JSON Schema for editors from the same tables.
//   - Build: the builder adds stages to a spec, and the checker checks what they execute.
//
// A problem does not end the reading, so that a user sees all problems of a file at once.
package pipefile
