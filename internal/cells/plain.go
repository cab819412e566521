package cells

import (
	"regexp"
	"strings"
)

var escapes = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?`)

// Plain leaves out what terminals take as commands: colours, moves of the cursor, titles.
func Plain(s string) string { return escapes.ReplaceAllString(s, "") }

// Seen is what a person would see of a line of output: [Plain], and of what was drawn over and over, such as a progress bar, what came last.
func Seen(line string) string {
	line = strings.TrimRight(line, "\r")
	return Plain(line[strings.LastIndexByte(line, '\r')+1:])
}
