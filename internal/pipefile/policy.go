package pipefile

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/nearest"
	"github.com/godags/godags/internal/spec"
)

// duration reads text such as "90s". Without a problem it is stored.
func (s *source) duration(into *time.Duration, key string, v value) {
	switch {
	case v.kind == number && v.text == "": // no number that JSON has: it has been reported
		return
	case v.kind == null:
		s.report(int(v.at), "%s has no value", key)
		return
	case v.kind != text:
		s.report(int(v.at), `%s must be a duration with its unit, such as "90s", "10m" or "1h30m"`, key)
		return
	}

	d, err := time.ParseDuration(v.text)
	switch {
	case err != nil:
		s.report(int(v.at), `%s must be a duration such as "90s", "10m" or "1h30m", not %s`, key, quote(v.text))
	case d < 0:
		s.report(int(v.at), "%s cannot be negative", key)
	case d > 0 && d < time.Millisecond:
		s.report(int(v.at), "%s is exact to 1ms: it cannot be less", key)
	default:
		*into = d
	}
}

// whole reads a whole number. Without a problem it is stored.
func (s *source) whole(into *int, key string, v value, least, most int) {
	n, err := strconv.Atoi(v.text)
	switch {
	case v.kind == number && v.text == "": // no number that JSON has: it has been reported
	case v.kind == null:
		s.report(int(v.at), "%s has no value", key)
	case v.kind != number || err != nil:
		s.report(int(v.at), "%s must be a whole number%s", key, instead(v))
	case n < least && least == 0:
		s.report(int(v.at), "%s cannot be negative", key)
	case n < least || n > most:
		s.report(int(v.at), "%s must be from %d to %d", key, least, most)
	default:
		*into = n
	}
}

// fraction reads a number. Without a problem it is stored.
func (s *source) fraction(into *float64, key string, v value, least, most float64) {
	f, err := strconv.ParseFloat(v.text, 64)
	switch {
	case v.kind == number && v.text == "": // no number that JSON has: it has been reported
	case v.kind == null:
		s.report(int(v.at), "%s has no value", key)
	case v.kind != number || err != nil && !math.IsInf(f, 0):
		s.report(int(v.at), "%s must be a number%s", key, instead(v))
	case f < least || f > most:
		s.report(int(v.at), "%s must be from %v to %v", key, least, most)
	default:
		*into = f
	}
}

// instead says what is there.
func instead(v value) string {
	if v.kind == number || v.kind == text {
		return ", not " + quote(v.text)
	}
	return ", not " + v.kind.String()
}

// oneOf returns one of the words, or "" after a problem.
func (s *source) oneOf(key string, v value, words ...string) string {
	if v.kind == number || v.kind == boolean {
		v.kind, v.text = text, string(token(s.bytes, int(v.at)))
	} else if v = s.text(key, v); v.kind != text {
		return ""
	}

	if !slices.Contains(words, v.text) {
		s.suggest(int(v.at), nearest.Name(v.text, words), "%s must be %s, not %s", key, orList(words), quote(v.text))
		return ""
	}

	return v.text
}

// orList writes "a, b or c".
func orList(words []string) string {
	all := words[0]
	for i, w := range words[1:] {
		if i == len(words)-2 {
			all += " or " + w
		} else {
			all += ", " + w
		}
	}

	return all
}

// triggersElsewhere are words of other tools, with those that mean the same here; some mean what
// nothing does here, whatever they look like.
var triggersElsewhere = map[string]string{
	"always": "all_done", "one_success": "any_success", "one_failed": "any_failed", "none_failed": "", "all_failed": "", "none_skipped": "", "one_done": "",
}

func (s *source) trigger(p *policy, v value) {
	if same, known := triggersElsewhere[v.text]; known && v.kind == text {
		s.suggest(int(v.at), same, "trigger must be %s, not %s", orList(dag.Triggers()), quote(v.text))
	} else if name := s.oneOf("trigger", v, dag.Triggers()...); name != "" {
		p.Trigger = dag.Trigger(slices.Index(dag.Triggers(), name))
	}
}

var backoffKeys = []key[spec.Backoff]{
	{"initial", "wait after the first failure. Default: 1s", shapeDuration, func(s *source, b *spec.Backoff, v value) {
		s.duration(&b.Initial, "initial", v)
	}},
	{"factor", "each wait is that many times the one before. Default: 2", shapeNumber(1, maxFactor), func(s *source, b *spec.Backoff, v value) {
		s.fraction(&b.Factor, "factor", v, 1, maxFactor)
	}},
	{"max", "the longest wait. Default: 5m", shapeDuration, func(s *source, b *spec.Backoff, v value) {
		s.duration(&b.Max, "max", v)
	}},
	{"jitter", "the part of a wait by which it is longer or shorter at random. Default: 0.1", shapeNumber(0, 1), func(s *source, b *spec.Backoff, v value) {
		s.fraction(&b.Jitter, "jitter", v, 0, 1)
	}},
}

const maxFactor = 1000

// backoff begins with the built-in values: that of defaults is replaced as a whole.
func (s *source) backoff(p *policy, v value) {
	p.Backoff = spec.DefaultBackoff
	if v.kind == text {
		s.duration(&p.Backoff.Initial, "backoff", v)
		p.Backoff.Max = max(p.Backoff.Max, p.Backoff.Initial)
		return
	}

	s.members("backoff", v, func() {
		readKeys(s, "backoff", v, backoffKeys, &p.Backoff)
		p.Backoff.Max = s.atLeastInitial(v, p.Backoff)
	})
}

// atLeastInitial returns the longest wait: the first one, if that is longer than what holds by
// default.
func (s *source) atLeastInitial(v value, b spec.Backoff) time.Duration {
	if i := v.member("max"); i.kind != absent && b.Max < b.Initial {
		s.report(int(i.at), "max (%v) is less than initial (%v)", b.Max, b.Initial)
	}
	return max(b.Max, b.Initial)
}

// member returns the value of a key of a mapping, or one that is absent.
func (v value) member(key string) value {
	for i := 0; v.kind == mapping && i < len(v.items); i += 2 {
		if v.items[i].text == key {
			return v.items[i+1]
		}
	}
	return value{}
}
