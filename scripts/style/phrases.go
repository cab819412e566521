package main

import (
	"regexp"
	"strings"
)

// phrases are ways of writing that were found hard to read, each with what to write instead.
var phrases = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{phrase(`go(es|ing|ne)? on with`), "resume, continue, take over"},
	{phrase(`(is|are|at) (its|their|the) end`), "finished"},
	{phrase(`comes? to (its|their) end`), "finish"},
	{phrase(`hand(s|ed|ing)? (it )?(back|on)`), "requeue, return, pass"},
	{phrase(`heard of`), "a heartbeat, unreachable"},
	{phrase(`(left|leaves?|leaving) behind`), "orphaned, remaining"},
	{phrase(`a beginning of`), "a prefix of"},
	{phrase(`by force`), "kill"},
	{phrase(`of (our|its|their|your) own`), "private, separate, custom"},
	{phrase(`(some|no)body( else)?`), "the noun: another worker, no coordinator, a user"},
	{phrase(`who(so)?ever`), "the noun: the caller, the worker"},
	{phrase(`is away`), "is unreachable"},
	{phrase(`brings? it there`), "finish"},
	{phrase(`what (is|was|it is) (not )?(granted|handed|told)`), "name the thing: claims, attempts"},
	{phrase(`it (is|was) no (error|matter)`), "it is not an error"},
	{phrase(`of nil it is`), "say what the call returns"},
}

func phrase(expression string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b` + expression + `\b`)
}

func (r *report) checkPhrases(name, text string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		for _, p := range phrases {
			if found := p.pattern.FindString(line); found != "" {
				r.add(name, number, "%q: write %s", found, p.instead)
			}
		}
	}
}
