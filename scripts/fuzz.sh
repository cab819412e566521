#!/bin/sh
# Runs every fuzz target for the given time.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do
	for target in $(grep -h '^func Fuzz' "$dir"/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9_]*\).*/\1/'); do
		echo "== $dir $target"
		$go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$1"
	done
done
