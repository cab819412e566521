package journal_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/godags/godags/internal/journal"
)

func TestParseRunID_AcceptsLegalIDs(t *testing.T) {
	for _, text := range []string{"a", "7", "wine-2026-01-02_03.04", "A.b.c", "a--b__c", strings.Repeat("x", journal.MaxRunID)} {
		if id, err := journal.ParseRunID(text); string(id) != text || err != nil {
			t.Errorf("%q: %q, %v", text, id, err)
		}
	}
}

func TestParseRunID_RefusesIllegalIDs(t *testing.T) {
	for _, text := range []string{"", ".", "-a", "_a", ".a", "a..b", "a b", "a/b", "a}b", "{a}", "a:b", "a*", "ä", "a\n", "a\x00", "a\xff",
		strings.Repeat("x", journal.MaxRunID+1)} {
		id, err := journal.ParseRunID(text)
		if id != "" || err == nil {
			t.Errorf("%q became %q, %v", text, id, err)
		} else if len(err.Error()) > 250 || strings.ContainsFunc(err.Error(), unprintable) {
			t.Errorf("%q: a message that does not fit a terminal: %v", text, err)
		}
	}
}

// A run whose id commands take for something else could not be looked at.
func TestChooseRunID_RefusesWhatCommandsTakeForSomethingElse(t *testing.T) {
	for text, want := range map[string]string{
		"latest":      `illegal run ID "latest": this word names the newest run`,
		"flow.yaml":   `illegal run ID "flow.yaml": commands take what ends in .yaml for a pipeline file`,
		"flow.YML":    `illegal run ID "flow.YML": commands take what ends in .yml for a pipeline file`,
		"a-1.json":    `illegal run ID "a-1.json": commands take what ends in .json for a pipeline file`,
		"-":           `illegal run ID "-": use up to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit, without ".."`,
		"latest-1":    "",
		"Latest":      "",
		"yaml":        "",
		"flow.yaml.1": "",
	} {
		id, err := journal.ChooseRunID(text)
		switch {
		case want == "" && (err != nil || string(id) != text):
			t.Errorf("%q: %q, %v", text, id, err)
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
