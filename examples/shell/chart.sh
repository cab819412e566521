#!/bin/sh
# Prints the ranking as bars, and hands over a line that says which measurement is the best.
set -eu
awk '
    BEGIN { output = ENVIRON["GODAGS_OUTPUT"] }
    NR == 1 { largest = $1; printf "%s tells the cultivars apart best: F = %s", $2, $1 > output }
    {
        bar = sprintf("%*s", 40 * $1 / largest, "")
        gsub(" ", "#", bar)
        printf "%-29s %6.1f %s\n", $2, $1, bar
    }
' "$GODAGS_INPUTS/rank"
