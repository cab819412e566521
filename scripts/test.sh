#!/bin/sh
# Runs the tests of PACKAGES (all) and says plainly what was skipped and how to get it. Arguments go to `go test`.
set -u
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"${GO:-go}" test -json -timeout 14m "$@" ${PACKAGES:-./...} >"$out"
code=$?
"${GO:-go}" run ./scripts/testreport <"$out" || code=1
exit $code
