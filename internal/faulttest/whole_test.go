//go:build !race

package faulttest_test

const oneOf = 1 // every command of an enumeration
