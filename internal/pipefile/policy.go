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
func (d *decoder) duration(into *time.Duration, key string, v value) {
	switch {
	case v.kind == number && v.text == "": // no number that JSON has: it has been reported
		return
	case v.kind == null:
		d.report(int(v.at), "%s has no value", key)
		return
	case v.kind != text:
		d.report(int(v.at), `%s must be a duration with its unit, such as "90s", "10m" or "1h30m"`, key)
		return
	}

	length, err := time.ParseDuration(v.text)
	switch {
	case err != nil:
		d.report(int(v.at), `%s must be a duration such as "90s", "10m" or "1h30m", not %s`, key, quote(v.text))
	case length < 0:
		d.report(int(v.at), "%s cannot be negative", key)
	case length > 0 && length < time.Millisecond:
		d.report(int(v.at), "%s is exact to 1ms: it cannot be less", key)
	default:
		*into = length
	}
}

// whole reads a whole number. Without a problem it is stored.
func (d *decoder) whole(into *int, key string, v value, least, most int) {
	n, err := strconv.Atoi(v.text)
	switch {
	case v.kind == number && v.text == "": // no number that JSON has: it has been reported
	case v.kind == null:
		d.report(int(v.at), "%s has no value", key)
	case v.kind != number || err != nil:
		d.report(int(v.at), "%s must be a whole number%s", key, instead(v))
	case n < least && least == 0:
		d.report(int(v.at), "%s cannot be negative", key)
	case n < least || n > most:
		d.report(int(v.at), "%s must be from %d to %d", key, least, most)
	default:
		*into = n
	}
}

// fraction reads a number. Without a problem it is stored.
func (d *decoder) fraction(into *float64, key string, v value, least, most float64) {
	f, err := strconv.ParseFloat(v.text, 64)
	switch {
	case v.kind == number && v.text == "": // no number that JSON has: it has been reported
	case v.kind == null:
		d.report(int(v.at), "%s has no value", key)
	case v.kind != number || err != nil && !math.IsInf(f, 0):
		d.report(int(v.at), "%s must be a number%s", key, instead(v))
	case f < least || f > most:
		d.report(int(v.at), "%s must be from %v to %v", key, least, most)
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
func (d *decoder) oneOf(key string, v value, words ...string) string {
	if v.kind == number || v.kind == boolean {
		v.kind, v.text = text, string(token(d.bytes, int(v.at)))
	} else if v = d.text(key, v); v.kind != text {
		return ""
	}

	if !slices.Contains(words, v.text) {
		d.suggest(int(v.at), nearest.Name(v.text, words), "%s must be %s, not %s", key, orList(words), quote(v.text))
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

func (p *policy) readTrigger(d *decoder, v value) {
	if same, known := triggersElsewhere[v.text]; known && v.kind == text {
		d.suggest(int(v.at), same, "trigger must be %s, not %s", orList(dag.Triggers()), quote(v.text))
	} else if name := d.oneOf("trigger", v, dag.Triggers()...); name != "" {
		p.Trigger = dag.Trigger(slices.Index(dag.Triggers(), name))
	}
}

var backoffKeys = []key[spec.Backoff]{
	{"initial", "wait after the first failure. Default: 1s", shapeDuration, func(b *spec.Backoff, d *decoder, v value) {
		d.duration(&b.Initial, "initial", v)
	}},
	{"factor", "each wait is that many times the one before. Default: 2", shapeNumber(1, maxFactor), func(b *spec.Backoff, d *decoder, v value) {
		d.fraction(&b.Factor, "factor", v, 1, maxFactor)
	}},
	{"max", "the longest wait. Default: 5m", shapeDuration, func(b *spec.Backoff, d *decoder, v value) {
		d.duration(&b.Max, "max", v)
	}},
	{"jitter", "the part of a wait by which it is longer or shorter at random. Default: 0.1", shapeNumber(0, 1), func(b *spec.Backoff, d *decoder, v value) {
		d.fraction(&b.Jitter, "jitter", v, 0, 1)
	}},
}

const maxFactor = 1000

// readBackoff begins with the built-in values: that of defaults is replaced as a whole.
func (p *policy) readBackoff(d *decoder, v value) {
	p.Backoff = spec.DefaultBackoff
	if v.kind == text {
		d.duration(&p.Backoff.Initial, "backoff", v)
		p.Backoff.Max = max(p.Backoff.Max, p.Backoff.Initial)
		return
	}

	d.members("backoff", v, func() {
		readKeys(d, "backoff", v, backoffKeys, &p.Backoff)
		p.Backoff.Max = d.atLeastInitial(v, p.Backoff)
	})
}

// atLeastInitial returns the longest wait: the first one, if that is longer than what holds by
// default.
func (d *decoder) atLeastInitial(v value, b spec.Backoff) time.Duration {
	if i := v.member("max"); i.kind != absent && b.Max < b.Initial {
		d.report(int(i.at), "max (%v) is less than initial (%v)", b.Max, b.Initial)
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
