#!/bin/sh
# Runs the tests of PACKAGES (all) and says plainly, as they end, what failed, and what was skipped and how to get it. Arguments go to `go test`.
set -u
cd "$(dirname "$0")/.."
tmp=${TMPDIR-}
[ ${#tmp} -le 16 ] || [ ! -w /tmp ] || export TMPDIR=/tmp # the paths of unix sockets below it must fit into 103 bytes
code=$(mktemp)
trap 'rm -f "$code"' EXIT
{
	"${GO:-go}" test -json -timeout 20m "$@" ${PACKAGES:-./...}
	echo $? >"$code"
} | "${GO:-go}" run ./scripts/testreport && exit "$(cat "$code")"
exit 1
