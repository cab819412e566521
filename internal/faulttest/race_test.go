//go:build race

package faulttest_test

const oneOf = 8 // the race detector makes an enumeration take minutes
