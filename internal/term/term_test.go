package term

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "日本語": 6, "é": 1, "e\u0301": 1, "ｆｕｌｌ": 8, "한글": 4, "🚀": 2, "✓✗↻↷⊘━─⠋│…·": 11, "⌚⏰☔♿⚓⚡⛔✅❌➕⭐": 22, "𝒳": 1, "〿": 1,
		"👩\u200d💻": 2, "❤\ufe0f": 2, "🇩🇪": 2, // one picture of several code points
	} {
		if got := Width(text); got != want {
			t.Errorf("%q is %d columns wide, want %d", text, got, want)
		}
	}
}

func TestTruncate_AndShorten(t *testing.T) {
	for _, c := range []struct {
		text           string
		most           int
		cut, shortened string
	}{
		{"stage", 5, "stage", "stage"},
		{"stage_1", 5, "stag…", "st…_1"},
		{"shard_0001_train", 10, "shard_000…", "shard…rain"},
		{"日本語の段階", 12, "日本語の段階", "日本語の段階"},
		{"日本語の段階", 8, "日本語…", "日本…階"},
		{"preprocess_features_17", 12, "preprocess_…", "prepro…es_17"},
		{"🚀🚀🚀", 4, "🚀…", "🚀…"},
		{"ab", 1, "…", "…"},
		{"ab", 0, "", ""},
		{"ab", -3, "", ""},
	} {
		if got := Truncate(c.text, c.most); got != c.cut {
			t.Errorf("Truncate(%q, %d) = %q, want %q", c.text, c.most, got, c.cut)
		}
		if got := Shorten(c.text, c.most); got != c.shortened {
			t.Errorf("Shorten(%q, %d) = %q, want %q", c.text, c.most, got, c.shortened)
		}
	}
}

func TestTruncate_IsNeverWiderThanAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, most := Clean(rapid.String().Draw(t, "text")), rapid.IntRange(0, 20).Draw(t, "most")
		for _, got := range []string{Truncate(text, most), Shorten(text, most)} {
			if Width(got) > most || !utf8.ValidString(got) {
				t.Fatalf("%q becomes %q", text, got)
			}
			if Width(text) <= most && got != text {
				t.Fatalf("%q fits but becomes %q", text, got)
			}
		}
	})
}

func TestWrap_BreaksAtSpaces(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want []string
	}{
		{"as it is", 8, []string{"as it is"}},
		{"connection to server refused", 12, []string{"connection", "to server", "refused"}},
		{"connection to server", 13, []string{"connection to", "server"}},
		{"/usr/bin/redis-server is there", 10, []string{"/usr/bin/r", "edis-serve", "r is there"}},
		{"  indented text", 11, []string{"  indented", "text"}},
		{"日本語の段階", 5, []string{"日本", "語の", "段階"}},
		{"no terminal to fit into", 0, []string{"no terminal to fit into"}},
		{"", 4, []string{""}},
	} {
		if got := Wrap(c.text, c.most); !slices.Equal(got, c.want) {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

func TestWrap_LosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, most := rapid.StringOf(rapid.RuneFrom([]rune("ab  cé漢🚀"))).Draw(t, "text"), rapid.IntRange(2, 20).Draw(t, "most")
		lines := Wrap(text, most)
		for _, line := range lines {
			if Width(line) > most {
				t.Fatalf("%q is wider than %d", line, most)
			}
		}
		bare := strings.NewReplacer(" ", "")
		if got := bare.Replace(strings.Join(lines, "")); got != bare.Replace(text) {
			t.Fatalf("%q becomes %q", text, lines)
		}
	})
}

func TestStrip(t *testing.T) {
	for text, want := range map[string]string{
		"\x1b[1;31mred\x1b[0m":                     "red",
		"\x1b[2K\x1b[10;3Hhere":                    "here",
		"\x1b]0;title\x07text":                     "text",
		"\x1b]8;;http://x\x1b\\link":               "link",
		"\u009b2Jeight\u009d0;t\u009c bits":        "eight bits",
		"\x1b(Bsgr\x1b[m0\x1b=\x1b7\x1bP1$q\x1b\\": "sgr0",
		"nothing [of] that ] kind \\ 1m":           "nothing [of] that ] kind \\ 1m",
	} {
		if got := Strip(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestVisible_KeepsTheLastTextOfALineThatIsDrawnAgain(t *testing.T) {
	for line, want := range map[string]string{
		"":                               "",
		"as it is":                       "as it is",
		"end of a line\r":                "end of a line",
		"10 %\r50 %\r100 %":              "100 %",
		"10 %\r\x1b[32m100 %\x1b[0m\r\r": "100 %",
		"10 %\r90 %\r\x1b[K":             "90 %",
		"\r \r\r":                        "",
		"10 %\b\b\b\b20 %":               "20 %",
		"_\bb_\bold \b":                  "bold ",
		"\b\b\bat the start":             "at the start",
		"日本\b語":                          "日語",
	} {
		if got := Visible(line); got != want {
			t.Errorf("of %q %q is visible, want %q", line, got, want)
		}
	}
}

// nasty is what a stage, or another writer to Redis, may send to a terminal.
const nasty = "a\x00\a\b\t\v\x1b[2J\x7f\u0085\u009b2J\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\U000e0041\xff\xe6\x97z"

func TestClean(t *testing.T) {
	const want = `a\x00\a\b  \v\x1b[2J\x7f\u0085\u009b2J\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\U000e0041\xff\xe6\x97z`
	if got := Clean(nasty); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, text := range []string{"", "plain", "größe 日本 👩‍💻 \uFFFD"} {
		if got := Clean(text); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	if got, want := CleanLines("a\tb\nc\r\n"), "a\tb\nc\\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEscapeJSON_MeansTheSame(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.Just(nasty), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		value := map[string]string{text.Draw(t, "key"): text.Draw(t, "value")}
		before, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		after := EscapeJSON(before)
		var want, got map[string]string
		if err := errors.Join(json.Unmarshal(before, &want), json.Unmarshal(after, &got)); err != nil {
			t.Fatalf("%v: %s", err, after)
		}
		if !maps.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		for _, r := range string(after) {
			if Hidden(r, utf8.RuneLen(r)) {
				t.Fatalf("%U is left in %s", r, after)
			}
		}
	})
	if got, want := string(EscapeJSON([]byte("{\n\"a\xff\": \"\U000e0041\x7f\"}"))), "{\n\"a\\ufffd\": \"\\udb40\\udc41\\u007f\"}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
