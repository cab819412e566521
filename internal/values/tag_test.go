package values

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/sign"
)

func parseKey(t testing.TB, text string) sign.Key {
	t.Helper()
	k, err := sign.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signature is everything that a signed output says, and what its reader asks for.
type signature struct {
	origin   Origin
	producer Producer
	attempt  dag.Attempt
	recorded string
}

func (s signature) sign(k sign.Key) []byte {
	return Sign(k, s.origin, s.producer, s.attempt, []byte(s.recorded))
}

func TestVerify_RefusesWhateverDiffersInOneField(t *testing.T) {
	k := parseKey(t, "the key of these tests")
	asked := signature{Origin{"run", "first", "digest"}, Producer{Stage: 7, Of: 3, Index: 2}, 1, "vjson\n1"}
	for _, other := range []signature{
		{Origin{"ruin", "first", "digest"}, asked.producer, 1, asked.recorded},
		{Origin{"run", "second", "digest"}, asked.producer, 1, asked.recorded},
		{Origin{"run", "first", "digests"}, asked.producer, 1, asked.recorded},
		// bytes that moved from one field to the next
		{Origin{"runf", "irst", "digest"}, asked.producer, 1, asked.recorded},
		{Origin{"run", "firstd", "igest"}, asked.producer, 1, asked.recorded},
		{asked.origin, Producer{Stage: 8, Of: 3, Index: 2}, 1, asked.recorded},
		{asked.origin, Producer{Stage: 7, Of: 4, Index: 2}, 1, asked.recorded},
		{asked.origin, Producer{Stage: 7, Of: 3, Index: 3}, 1, asked.recorded},
	} {
		if _, _, err := Verify(k, asked.origin, asked.producer, other.sign(k)); err == nil {
			t.Errorf("%+v is taken for %+v", other, asked)
		}
	}

	recorded, attempt, err := Verify(k, asked.origin, asked.producer, asked.sign(k))
	if err != nil || attempt != 1 || string(recorded) != asked.recorded {
		t.Errorf("got %q of attempt %d, %v", recorded, attempt, err)
	}
	if _, _, err := Verify(parseKey(t, "the key of another user"), asked.origin, asked.producer, asked.sign(k)); err == nil {
		t.Error("an output that was signed with another key is taken")
	}
	if _, _, err := Verify(sign.Key{}, asked.origin, asked.producer, asked.sign(k)); err == nil {
		t.Error("without a key an output is taken")
	}
}

// Any byte that differs, is missing or comes from another output makes a difference, the two of the
// attempt included.
func TestVerify_RefusesWhateverDiffersInOneByte(t *testing.T) {
	k := parseKey(t, "the key of these tests")
	o, p := Origin{"run", "first", "digest"}, Producer{Stage: 1, Of: 1}
	good, other := Sign(k, o, p, 1, []byte("vraw\nyes")), Sign(k, o, p, 2, []byte("vraw\nno!"))
	for i := range good {
		flipped, mixed := bytes.Clone(good), bytes.Clone(good)
		flipped[i] ^= 1
		mixed[i] = other[i]
		for name, forged := range map[string][]byte{"flipped": flipped, "mixed": mixed, "cut": good[:i], "begun later": good[i+1:], "the end of another": append(bytes.Clone(good[:i]), other[i:]...)} {
			if bytes.Equal(forged, good) || bytes.Equal(forged, other) {
				continue
			}
			if recorded, _, err := Verify(k, o, p, forged); err == nil {
				t.Errorf("%s at %d: %q is taken", name, i, recorded)
			}
		}
	}
}

func TestVerifyNamed_RefusesAnotherNameOriginPurposeOrByte(t *testing.T) {
	k := parseKey(t, "the key of these tests")
	o, value := Origin{"run", "first", "digest"}, []byte("json\n1")
	good := SignNamed(k, o, "name", value)
	if got, err := VerifyNamed(k, o, "name", good); err != nil || !bytes.Equal(got, value) {
		t.Fatal(got, err)
	}
	for i, forged := range [][]byte{
		SignNamed(k, o, "nam", append([]byte("e"), value...)),
		SignNamed(k, Origin{"run", "second", "digest"}, "name", value),
		SignNamed(k, Origin{"other", "first", "digest"}, "name", value),
		Sign(k, o, Producer{}, 1, value),
		append(bytes.Clone(value), k.Tag(sign.Task, []byte("run"), []byte("first"), []byte("digest"), []byte("name"), value)...),
		append(bytes.Clone(value), k.Tag(sign.Output, []byte("run"), []byte("first"), []byte("digest"), []byte("name"), value)...),
		value, nil, good[1:], good[:len(good)-1], append(bytes.Clone(good), 0),
	} {
		if got, err := VerifyNamed(k, o, "name", forged); err == nil {
			t.Errorf("%d: %q is taken", i, got)
		}
	}
}

// FuzzVerify: nothing is accepted that was made without the key.
func FuzzVerify(f *testing.F) {
	k := parseKey(f, "the key of these tests")
	o, p := Origin{"run", "first", "digest"}, Producer{Stage: 1, Of: 1}
	good := Sign(k, o, p, 1, []byte("vraw\nyes"))
	f.Add(good)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, signed []byte) {
		if recorded, _, err := Verify(k, o, p, signed); err == nil && !bytes.Equal(signed, good) {
			t.Errorf("%q is taken", recorded)
		}
		if value, err := VerifyNamed(k, o, "name", signed); err == nil {
			t.Errorf("value %q is taken", value)
		}
	})
}

func BenchmarkSignAndVerifyAnOutput(b *testing.B) {
	k := parseKey(b, "the key of these tests")
	o, p := Origin{"nightly-20260101-000000-abcd", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", fmt.Sprintf("%064d", 1)}, Producer{Stage: 1, Of: 1}
	recorded := make([]byte, 200, 300)
	for b.Loop() {
		if _, _, err := Verify(k, o, p, Sign(k, o, p, 1, recorded)); err != nil {
			b.Fatal(err)
		}
	}
}
