// Package process separates this process from its caller and from the processes that it starts.
package process

import "strings"

// Private reports whether an environment variable is for coordinators and workers only.
func Private(name string) bool {
	return name == "GODAGS_KEY" || name == "REDIS_URL" || strings.HasPrefix(name, "GODAGS_SECRET_")
}

// Public returns the entries, NAME=VALUE, of an environment that other programs may get.
func Public(entries []string) []string {
	public := make([]string, 0, len(entries))
	for _, entry := range entries {
		if name, _, _ := strings.Cut(entry, "="); !Private(name) {
			public = append(public, entry)
		}
	}
	return public
}
