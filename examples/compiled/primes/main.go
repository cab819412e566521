// Primes prints how many primes there are from its first argument up to its second, which is not
// counted.
package main

import (
	"fmt"
	"math/big"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: primes FROM TO")
		os.Exit(2)
	}

	from, errFrom := strconv.ParseInt(os.Args[1], 10, 64)
	to, errTo := strconv.ParseInt(os.Args[2], 10, 64)
	if errFrom != nil || errTo != nil {
		fmt.Fprintln(os.Stderr, "FROM and TO are whole numbers")
		os.Exit(2)
	}

	count := 0
	for n := from; n < to; n++ {
		if big.NewInt(n).ProbablyPrime(0) { // exact below 2^64
			count++
		}
	}

	fmt.Println(count)
}
