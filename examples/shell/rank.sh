#!/bin/sh
# Ranks the measurements by F, the variance between the cultivars over the variance within them: the larger, the better
# a measurement tells the cultivars apart. The columns of the inputs are those that cultivar.awk writes, three per cultivar.
set -eu
cd "$GODAGS_INPUTS"
paste -d ' ' names cultivar_0 cultivar_1 cultivar_2 | awk '{
    wines = $2 + $5 + $8
    mean = ($2 * $3 + $5 * $6 + $8 * $9) / wines
    between = $2 * ($3 - mean) ^ 2 + $5 * ($6 - mean) ^ 2 + $8 * ($9 - mean) ^ 2
    within = $4 + $7 + $10
    printf "%.1f %s\n", (between / 2) / (within / (wines - 3)), $1
}' | sort -rn > "$GODAGS_OUTPUT"
echo "$(wc -l < "$GODAGS_OUTPUT") measurements"
