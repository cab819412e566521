package nearest

import "testing"

func TestName(t *testing.T) {
	known := []string{"ingest", "preprocess", "train", "train_2", "report", "é"}
	for name, want := range map[string]string{
		"ingset":     "ingest", // swapped neighbours are one slip
		"trian":      "train",
		"preproces":  "preprocess",
		"reprot_all": "",
		"x":          "", // a single letter may be any other
		"":           "",
		"deploy":     "",
	} {
		if got := Name(name, known); got != want {
			t.Errorf("Name(%q) = %q, want %q", name, got, want)
		}
	}
}
