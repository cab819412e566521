// Package process separates this process from the one that has started it, and from those that it
// starts.
package process

import "strings"

// Private reports whether a variable of the environment is for coordinators and workers alone.
func Private(name string) bool {
	return name == "GODAGS_KEY" || name == "REDIS_URL" || strings.HasPrefix(name, "GODAGS_SECRET_")
}

// Public returns the entries, NAME=VALUE, of an environment that other programs may have.
func Public(entries []string) []string {
	public := make([]string, 0, len(entries))
	for _, entry := range entries {
		if name, _, _ := strings.Cut(entry, "="); !Private(name) {
			public = append(public, entry)
		}
	}
	return public
}
