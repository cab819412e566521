package condition

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// longest returns a stored output of the given JSON text, repeated up to the largest that a
// condition reads.
func longest(begin, item, end string) []byte {
	n := (MaxOutput - len(begin) - len(end)) / len(item)
	return []byte("raw\n" + begin + strings.Repeat(item, n) + end)
}

func TestPattern_TooLargeIsRefusedBeforeTheRun(t *testing.T) {
	for pattern, want := range map[string]bool{
		`[ab]{1000}`:                     true,
		strings.Repeat(`[ab]{1000}`, 9):  true,
		strings.Repeat(`[ab]{1000}`, 30): false,
		`(abcdefghij){800}`:              true,
		`((abc|def){10}ghi){100}`:        true,
		`((abc|def){10}ghi){100}(x?){0,1000}` + strings.Repeat(`\pL{900}`, 4): false,
		strings.Repeat("a", 3000): true,
	} {
		source := fmt.Sprintf("env.STAGE matches %q", pattern)
		_, err := Compile(source, scope())
		if (err == nil) != want {
			t.Errorf("%.60s: %v, want it taken: %v", pattern, err, want)
		}
		var e *Error
		if !want && (!errors.As(err, &e) || !strings.Contains(e.Message, "the pattern is too large") || source[e.At] != '"') {
			t.Errorf("%.60s: %v", pattern, err)
		}
	}
}

// A pattern of the largest size on the longest text takes minutes, in a single operation.
func TestMatches_EndsWithItsContext(t *testing.T) {
	source := fmt.Sprintf("outputs.a matches %q", strings.Repeat(`[ab]{1000}`, 9)+"c")
	c, err := Compile(source, Scope{Outputs: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("the stage was stopped"))
	defer cancel()
	begin := time.Now()
	_, err = c.Eval(ctx, Values{Outputs: map[string][]byte{"a": longest("", "a", "")}})
	if err == nil || !strings.Contains(err.Error(), "the stage was stopped") {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(begin); took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A match that is watched finds what one does that is not.
func TestMatches_MeansTheSameWhenWatched(t *testing.T) {
	patterns := rapid.SampledFrom([]string{`^a+$`, `b|c`, `\bab\b`, `(?m)^c$`, `é.`, `^$`, `(?i)AB{2,3}`, `[^a]{3}c?`})
	texts := rapid.StringOf(rapid.SampledFrom([]rune("abcé\n ")))
	rapid.Check(t, func(t *rapid.T) {
		p, text := patterns.Draw(t, "pattern"), texts.Draw(t, "text")
		want := regexp.MustCompile(p).MatchString(text)
		for _, parts := range []int{1, maxUnwatched + 1} {
			e := &evaluation{ctx: context.Background(), patterns: map[string]*pattern{p: {regexp.MustCompile(p), parts}}}
			if got := e.matches(text, p); got != want {
				t.Fatalf("%q matches %q: %v with %d parts, want %v", text, p, got, parts, want)
			}
		}
	})
}

// Without a bound, each of these takes gigabytes, or hours in a single operation.
func TestEval_IsBounded(t *testing.T) {
	nested := func(n int, begin, each, last string) string {
		return "all([" + begin + "], " + strings.Repeat("all(["+each+"], ", n) + last + strings.Repeat(")", n+1)
	}
	many := func(n int, item, between string) string {
		return strings.TrimSuffix(strings.Repeat(item+between, n), between)
	}
	const stopped = "it was stopped"
	text, numbers := longest("", "a", ""), longest("[", "1,", "1]")
	for name, c := range map[string]struct {
		source string
		output []byte
		want   string
	}{
		"texts that double":      {nested(30, "outputs.a + outputs.a", "# + #", `# == ""`), text, "the values that it makes take more than 32 MiB"},
		"texts of lists":         {nested(30, "[1, 1]", "[#, #]", `string(#) == ""`), text, "the values that it makes take more than 32 MiB"},
		"lists that are shared":  {nested(40, "[1, 1]", "[#, #]", `# == #`), text, "the values that it makes take more than 32 MiB"},
		"objects that double":    {nested(40, `{"a": 1}`, `{"a": #, "b": #}`, `# == #`), text, "the values that it makes take more than 32 MiB"},
		"many splits":            {"len([" + many(80, `split(outputs.a, "")`, ", ") + "]) == 0", text, "the values that it makes take more than 32 MiB"},
		"long sums of texts":     {many(100, "outputs.a", "+") + ` == ""`, text, "the values that it makes take more than 32 MiB"},
		"medians":                {many(80, "median(outputs.a)", "+") + " == 0", numbers, stopped},
		"looking through a list": {many(70, "2 in outputs.a", " or "), numbers, ""},
		"comparing lists":        {many(60, "outputs.a != outputs.a", " or "), numbers, ""},
		"patterns in a loop":     {fmt.Sprintf("all(outputs.a, string(outputs.a) matches %q)", "1.*x"), numbers, ""},
		"ranges in ranges":       {"all(1..99999, all(1..99999, #>0))", text, "memory budget exceeded"},
		"a range without end":    {"all(-9223372036854775807..9223372036854775807, true) and len(1..9223372036854775807) > 0", text, "memory budget exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			condition, err := Compile(c.source, Scope{Outputs: []string{"a"}})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if c.want == "" || c.want == stopped {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, 300*time.Millisecond, errors.New(stopped))
				defer cancel()
			}
			begin := time.Now()
			_, err = condition.Eval(ctx, Values{Outputs: map[string][]byte{"a": c.output}})
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("the error is %s, want %s", strings.TrimPrefix(fmt.Sprint(err), "condition "+strconv.Quote(c.source)), c.want)
			}
			if took := time.Since(begin); took > 6*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// As values, outputs take many times as much memory.
func TestEval_OutputsTogetherAreBounded(t *testing.T) {
	var names, terms []string
	outputs := make(map[string][]byte)
	for i := range 5 {
		name := fmt.Sprint("a", i)
		names, terms = append(names, name), append(terms, "outputs."+name+" != nil")
		outputs[name] = longest("[", `{"":1},`, "1]")
	}
	c, err := Compile(strings.Join(terms, " and "), Scope{Outputs: names})
	if err != nil {
		t.Fatal(err)
	}
	want := "bytes together, and a condition reads at most 4194304"
	if _, err := c.Eval(t.Context(), Values{Outputs: outputs}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

func TestEval_ItemIsBounded(t *testing.T) {
	large := bytes.TrimPrefix(longest("[", "1,", "1, 2, 3]"), []byte("raw\n"))
	large = append(large, "      "...)
	for source, want := range map[string]string{
		`len(item) > 0`: "item: it has ",
		`index == 0`:    "",
	} {
		c, err := Compile(source, Scope{Item: true})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Eval(t.Context(), Values{Item: large})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
}
