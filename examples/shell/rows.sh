#!/bin/sh
# Hands on the rows of a CSV file without its header. A row with too few or too many fields fails the stage.
set -eu
awk -F , '
    BEGIN { output = ENVIRON["GODAGS_OUTPUT"] }
    NR == 1 { fields = NF; next }
    NF != fields { print FILENAME ":" NR ": " NF " fields, but the header has " fields; failed = 1; exit 1 }
    { print > output }
    END { if (!failed) print NR - 1 " wines" }
' "$1"
