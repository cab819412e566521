package cells

import "regexp"

var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?`)

// Plain leaves out what terminals take as commands: colours, moves of the cursor, titles.
func Plain(s string) string { return escapes.ReplaceAllString(s, "") }
