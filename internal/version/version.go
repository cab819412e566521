// Package version knows which godags this is.
package version

import "runtime/debug"

// Number is the version of the next or current release.
const Number = "0.1.0"

// String returns the version and, for a build from a checkout, the commit.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Number
	}

	revision := ""
	modified := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = "+" + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ".modified"
		}
	}

	return Number + revision + modified
}
