// Package nearest finds the known name that a mistyped one was meant to be.
package nearest

import (
	"strings"
	"unicode/utf8"
)

// Name returns the candidate with the smallest edit distance to name, or "" when none is close
// enough to be a likely slip: at most a third of the longer name's length (one edit for two
// letters), and never more than three edits. Of equally near candidates the first wins, and one
// that differs in case only wins over all.
func Name(name string, candidates []string) string {
	for _, c := range candidates {
		if strings.EqualFold(name, c) && c != name {
			return c
		}
	}

	best := ""
	bestDistance := 4
	for _, c := range candidates {
		longer := max(utf8.RuneCountInString(name), utf8.RuneCountInString(c))
		limit := min(bestDistance-1, longer/3)
		if longer == 2 {
			limit = min(bestDistance-1, 1)
		}

		if d, ok := distance(name, c, limit); ok && d <= limit && c != name {
			best = c
			bestDistance = d
		}
	}

	return best
}

// distance is the number of insertions, deletions, substitutions and swaps of neighbours between a
// and b. It gives up, with false, as soon as the result must be above limit.
func distance(a, b string, limit int) (int, bool) {
	if len(a)-len(b) > limit*utf8.UTFMax || len(b)-len(a) > limit*utf8.UTFMax {
		return 0, false
	}

	x := []rune(a)
	y := []rune(b)
	if abs(len(x)-len(y)) > limit {
		return 0, false
	}

	before := make([]int, len(y)+1)
	last := make([]int, len(y)+1)
	row := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}

	for i := 1; i <= len(x); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}

			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}

			least = min(least, row[j])
		}

		if least > limit {
			return 0, false
		}

		before, last, row = last, row, before
	}

	return last[len(y)], true
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
