package sign

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func parse(t testing.TB, text string) Key {
	t.Helper()
	k, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestASignatureFitsWhatWasSignedAndNothingElse(t *testing.T) {
	k := parse(t, "sixteen letters!")
	signature := k.Sign(Spec, []byte("run"), []byte("digest"))
	if len(signature) != Size || Signer(signature) != k.Fingerprint() {
		t.Errorf("%q is not of the form fingerprint.code", signature)
	}
	verify := func(k Key, signature, purpose string, parts ...string) error {
		var bytes [][]byte
		for _, p := range parts {
			bytes = append(bytes, []byte(p))
		}
		return k.Verify(signature, purpose, bytes...)
	}
	if err := verify(k, signature, Spec, "run", "digest"); err != nil {
		t.Error(err)
	}
	if err := verify(parse(t, " sixteen letters!\n"), signature, Spec, "run", "digest"); err != nil {
		t.Errorf("white space around the text counts: %v", err)
	}
	other := parse(t, "sixteen letters?")
	for name, err := range map[string]error{
		"another run":      verify(k, signature, Spec, "ruin", "digest"),
		"another cut":      verify(k, signature, Spec, "rund", "igest"),
		"fewer parts":      verify(k, signature, Spec, "rundigest"),
		"more parts":       verify(k, signature, Spec, "run", "digest", ""),
		"another purpose":  verify(k, signature, Task, "run", "digest"),
		"no signature":     verify(k, "", Spec, "run", "digest"),
		"no code":          verify(k, k.Fingerprint()+".", Spec, "run", "digest"),
		"half a signature": verify(k, signature[:Size/2], Spec, "run", "digest"),
		"more than one":    verify(k, signature+"A", Spec, "run", "digest"),
		"other bits":       verify(k, signature[:Size-1]+string(signature[Size-1]^1), Spec, "run", "digest"),
		"another key":      verify(other, signature, Spec, "run", "digest"),
		"a borrowed name":  verify(k, strings.Replace(other.Sign(Spec, []byte("run"), []byte("digest")), other.Fingerprint(), k.Fingerprint(), 1), Spec, "run", "digest"),
		"no key":           verify(Key{}, Key{}.Sign(Spec, []byte("run"), []byte("digest")), Spec, "run", "digest"),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := verify(other, signature, Spec, "run", "digest")
	for _, word := range []string{k.Fingerprint(), other.Fingerprint(), Variable} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error for another key lacks %s: %v", word, err)
		}
	}
}

func TestAShortTextIsNoKey(t *testing.T) {
	for _, text := range []string{"", "fifteen letters", strings.Repeat(" ", 100)} {
		if _, err := Parse(text); err == nil || strings.Contains(err.Error(), "fifteen letters") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAKeyIsNotPrinted(t *testing.T) {
	k := parse(t, "do not print this text")
	all := fmt.Sprintf("%v %+v %#v %s", k, k, k, k)
	if strings.Contains(all, "do not") {
		t.Error(all)
	}
	again, err := Random()
	if err != nil || again.Fingerprint() == k.Fingerprint() || parse(t, again.Text()).Fingerprint() != again.Fingerprint() {
		t.Error("a random key is like another one, or its text makes another key", err)
	}
}

func BenchmarkSignAndVerify(b *testing.B) {
	k := parse(b, "sixteen letters!")
	queue := []byte("default@key:01234567")
	for _, size := range []int{200, 8 << 10} {
		payload := make([]byte, size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				if err := k.Verify(k.Sign(Task, queue, payload), Task, queue, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
