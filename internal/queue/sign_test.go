package queue

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/godags/godags/internal/sign"
)

func key(t testing.TB) sign.Key { return keyOf(t, "the key of these tests") }

func keyOf(t testing.TB, text string) sign.Key {
	t.Helper()
	k, err := sign.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func payload(t testing.TB, k sign.Key, queue string, items ...Item) []byte {
	t.Helper()
	object, err := json.Marshal(Batch{Run: "r", Pipeline: "p", Digest: "d", Items: items})
	if err != nil {
		t.Fatal(err)
	}
	return signTask(k, queue, object)
}

func TestVerifyTask_AcceptsWholeTasksForTheQueueOnly(t *testing.T) {
	k := key(t)
	good := payload(t, k, "q", Item{Stage: 1, Attempt: 1}, Item{Stage: 2, Attempt: 1})
	body, err := verifyTask(k, "q", good)
	var b Batch
	if err != nil || json.Unmarshal(body, &b) != nil || len(b.Items) != 2 || b.Run != "r" {
		t.Fatal(err, b)
	}
	text := string(good)
	for name, forged := range map[string]string{
		"for another queue":   string(payload(t, k, "other", Item{Stage: 1, Attempt: 1}, Item{Stage: 2, Attempt: 1})),
		"with another key":    string(payload(t, keyOf(t, "the key of somebody else"), "q", Item{Stage: 1, Attempt: 1}, Item{Stage: 2, Attempt: 1})),
		"without a signature": text[:strings.Index(text, beforeSignature)] + "}",
		"truncated":           text[:len(text)-10],
		"only the end":        text[len(text)-signatureSize:],
		"re-ordered":          strings.Replace(text, `{"stage":1,"attempt":1},{"stage":2,"attempt":1}`, `{"stage":2,"attempt":1},{"stage":1,"attempt":1}`, 1),
		"another run":         strings.Replace(text, `"run":"r"`, `"run":"R"`, 1),
		"a field more":        strings.TrimSuffix(text, "}") + `,"run":"other"}`,
		"a space more":        text + " ",
		"empty":               "",
		"not JSON":            strings.Repeat("x", 2*signatureSize),
	} {
		if forged == text {
			t.Fatalf("%s: the test changes nothing", name)
		}
		if _, err := verifyTask(k, "q", []byte(forged)); !errors.Is(err, sign.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzTask(f *testing.F) {
	k := key(f)
	good := payload(f, k, "q", Item{Stage: 1, Attempt: 1})
	for _, seed := range [][]byte{good, good[:len(good)-1], []byte(`{}`), nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := verifyTask(k, "q", data)
		if err != nil {
			return
		}
		var b Batch
		if err := json.Unmarshal(body, &b); err != nil || string(data) != string(good) {
			t.Fatalf("%q is taken for signed: %v", data, err)
		}
	})
}
