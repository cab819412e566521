#!/bin/sh
# Draws the ranking as bars.
set -eu
awk '
    NR == 1 { largest = $1 }
    {
        bar = sprintf("%*s", 40 * $1 / largest, "")
        gsub(" ", "#", bar)
        printf "%-29s %6.1f %s\n", $2, $1, bar
    }
' "$GODAGS_INPUTS/rank" | tee "$GODAGS_OUTPUT"
