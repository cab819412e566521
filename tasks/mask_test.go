package tasks

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustMask(t interface{ Fatal(...any) }, secrets ...string) *Mask {
	values := make(map[string]string)
	for i, s := range secrets {
		values[fmt.Sprint("S", i)] = s
	}
	m, err := NewMask(values)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMask(t *testing.T) {
	key := "-----BEGIN KEY-----\r\nMIIEvQ\r\n}\r\nAoIBAQ\r\n"
	for _, test := range []struct {
		secrets    []string
		text, want string
	}{
		{[]string{"hunter22"}, "login hunter22 ok", "login *** ok"},
		{[]string{"hunter22"}, "hunter22hunter22", "******"},
		{[]string{"hunter22"}, "hunter21", "hunter21"},
		{[]string{"hunter22"}, "the end is hunter2", "the end is ***"},
		{[]string{"hunter22"}, "the end is hun", "the end is hun"},
		{[]string{"aaaa"}, "aaaaaaa", "***aaa"},
		{[]string{"abcd", "abcdefgh"}, "abcdefgh abcd abcdef", "*** *** ***"},
		{[]string{key}, "MIIEvQ\n}\nAoIBAQ", "***\n}\n***"},
		{[]string{key}, key, "***\r\n***\r\n}\r\n***\r\n"},
		{nil, "nothing to hide", "nothing to hide"},
	} {
		if got := mustMask(t, test.secrets...).String(test.text); got != test.want {
			t.Errorf("%q in %q: got %q, want %q", test.secrets, test.text, got, test.want)
		}
	}
	if got := (*Mask)(nil).String("x"); got != "x" {
		t.Errorf("a nil mask makes %q of x", got)
	}
}

func TestShortSecretIsRefused(t *testing.T) {
	for _, value := range []string{"", "abc", "a\nbc\nd\n"} {
		if _, err := NewMask(map[string]string{"PIN": value}); err == nil || !strings.Contains(err.Error(), "secret PIN ") || value != "" && strings.Contains(err.Error(), value) {
			t.Errorf("%q: got %v, want an error that names PIN and not its value", value, err)
		}
	}
}

// The dumb twin has all of the text and a regular expression.
func TestMaskedLogAgainstRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.StringMatching("[ab]{4,7}"), 1, 3).Draw(t, "secrets")
		writes := rapid.SliceOf(rapid.StringMatching("[abc]{0,12}")).Draw(t, "writes")
		b := NewLogBuffer(1 << 20)
		b.Hide(mustMask(t, secrets...))
		for _, w := range writes {
			if n, err := fmt.Fprint(b, w); n != len(w) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(w), err)
			}
		}
		fmt.Fprint(b, "c") // no secret goes on
		all := strings.Join(writes, "") + "c"
		longestFirst := regexp.MustCompile(strings.Join(secrets, "|"))
		longestFirst.Longest()
		if got, want := string(b.Bytes()), longestFirst.ReplaceAllString(all, "***"); got != want {
			t.Fatalf("%q in %q:\ngot  %q\nwant %q", secrets, all, got, want)
		}
	})
}

func TestSecretSplitOverTwoWritesIsNeverSeen(t *testing.T) {
	const secret = "hunter22 and more"
	for i := range len(secret) {
		var b LogBuffer
		b.Hide(mustMask(t, secret))
		fmt.Fprint(&b, "it is ", secret[:i])
		if i >= minSecret && strings.Contains(string(b.Bytes())+b.LastLine(), secret[:i]) {
			t.Errorf("after %d bytes: %q", i, b.Bytes())
		}
		fmt.Fprint(&b, secret[i:], "\n")
		if got := string(b.Bytes()); got != "it is ***\n" || b.LastLine() != "it is ***" {
			t.Errorf("split at %d: %q", i, got)
		}
	}
}
