package nearest

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestName(t *testing.T) {
	known := []string{"ingest", "preprocess", "train", "train_2", "report", "é", "ok"}
	for name, want := range map[string]string{
		"ingset":        "ingest", // swapped neighbours are one slip
		"trian":         "train",
		"preproces":     "preprocess",
		"prepro":        "",           // four letters are missing
		"preproc":       "preprocess", // three
		"rep":           "",           // three are missing, and that is half
		"reprot_all":    "",
		"okk":           "ok",
		"ko":            "ok",
		"o":             "ok", // one edit for two letters
		"nk":            "ok",
		"nx":            "",
		"x":             "", // a single letter may be any other
		"":              "",
		"deploy":        "",
		"train_1":       "train_2",
		"ingest\xff":    "ingest",
		"\xff\xfe\xfd ": "",
	} {
		if got := Name(name, known); got != want {
			t.Errorf("Name(%q) = %q, want %q", name, got, want)
		}
	}
}

// A user who wrote a name that exists means something else.
func TestNotTheNameItself(t *testing.T) {
	if got := Name("train", []string{"train", "trian", "brain"}); got != "trian" {
		t.Errorf("got %q", got)
	}
	if got := Name("train", []string{"train"}); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestTheFirstOfEqualsWins(t *testing.T) {
	if got := Name("s10", []string{"s7", "s11", "s12", "s1"}); got != "s11" {
		t.Errorf("got %q", got)
	}
}

// TestNameAgainstTheRule compares with the rule in the doc comment, written down.
func TestNameAgainstTheRule(t *testing.T) {
	word := rapid.StringOfN(rapid.SampledFrom([]rune("aébc日")), 0, 12, -1)
	for range 10 {
		rapid.Check(t, func(t *rapid.T) {
			name := word.Draw(t, "name")
			candidates := rapid.SliceOfN(rapid.OneOf(word, misspelt(name)), 0, 6).Draw(t, "candidates")
			want, least := "", 4
			for _, c := range candidates {
				if d := edits([]rune(name), []rune(c)); c != name && d <= allowed(name, c) && d < least {
					want, least = c, d
				}
			}
			if got := Name(name, candidates); got != want {
				t.Fatalf("Name(%q, %q) = %q, want %q", name, candidates, got, want)
			}
		})
	}
}

// misspelt draws a word with up to three slips in it.
func misspelt(word string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		letters := []rune(word)
		for range rapid.IntRange(1, 3).Draw(t, "slips") {
			at := rapid.IntRange(0, len(letters)).Draw(t, "at")
			switch slip := rapid.IntRange(0, 3).Draw(t, "slip"); {
			case slip == 0 || at == len(letters):
				letters = slices.Insert(letters, at, 'x')
			case slip == 1:
				letters[at] = 'x'
			case slip == 2:
				letters = slices.Delete(letters, at, at+1)
			case at > 0:
				letters[at-1], letters[at] = letters[at], letters[at-1]
			}
		}
		return string(letters)
	})
}

func allowed(a, b string) int {
	longer := max(utf8.RuneCountInString(a), utf8.RuneCountInString(b))
	if longer == 2 {
		return 1
	}
	return min(3, longer/3)
}

// edits is the number of edits between two words, by trying all for the last letter (nothing is
// swapped and then edited again).
func edits(a, b []rune) int {
	known := make(map[[2]int]int)
	var of func(i, j int) int
	of = func(i, j int) int {
		if i == 0 || j == 0 {
			return i + j
		}
		if n, ok := known[[2]int{i, j}]; ok {
			return n
		}
		n := min(of(i-1, j), of(i, j-1), of(i-1, j-1)) + 1
		if a[i-1] == b[j-1] {
			n = min(n, of(i-1, j-1))
		}
		if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
			n = min(n, of(i-2, j-2)+1)
		}
		known[[2]int{i, j}] = n
		return n
	}
	return of(len(a), len(b))
}

func FuzzName(f *testing.F) {
	f.Add("ingset", "ingest train")
	f.Add("\xff", "é \xff\xfe")
	f.Fuzz(func(t *testing.T, name, known string) {
		candidates := strings.Fields(known)
		if got := Name(name, candidates); got != "" && (got == name || !slices.Contains(candidates, got)) {
			t.Errorf("Name(%q, %q) = %q", name, candidates, got)
		}
	})
}

// A slip is searched for among all stages of a large pipeline.
func BenchmarkName(b *testing.B) {
	candidates := make([]string, 100_000)
	for i := range candidates {
		candidates[i] = "stage_" + strings.Repeat("x", i%10) + string(rune('a'+i%26))
	}
	b.ReportAllocs()
	for b.Loop() {
		Name("stgae_xxxb", candidates)
	}
}
