#!/bin/sh
# Hands on the rows of a CSV file without its header. A row with too few or too many fields fails the stage.
set -eu
awk -F , '
    NR == 1 { fields = NF; next }
    NF != fields { print "line " NR " has " NF " fields, the header has " fields; exit 1 }
    { print > ENVIRON["GODAGS_OUTPUT"] }
    END { print NR - 1 " wines" }
' "$1"
