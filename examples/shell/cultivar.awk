# Hands on, for each measurement of the wines of one cultivar: how many wines, their mean, and the sum of squared deviations from it.
BEGIN { FS = "," }

$1 == cultivar {
    wines++
    for (i = 2; i <= NF; i++) {
        before = $i - mean[i]
        mean[i] += before / wines
        squares[i] += before * ($i - mean[i])
    }
}

END {
    for (i = 2; i <= NF; i++) print wines, mean[i], squares[i]
    print wines " wines of cultivar " cultivar > "/dev/stderr"
}
