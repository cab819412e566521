package journal_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/godags/godags/internal/journal"
)

func TestLegalRunIDs(t *testing.T) {
	for _, text := range []string{"a", "7", "wine-2026-01-02_03.04", "A.b.c", "a--b__c", strings.Repeat("x", journal.MaxRunID)} {
		if id, err := journal.ParseRunID(text); string(id) != text || err != nil {
			t.Errorf("%q: %q, %v", text, id, err)
		}
	}
}

func TestIllegalRunIDs(t *testing.T) {
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

func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
