package runs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFollowedLog_YieldsEachLineOnce(t *testing.T) {
	for name, test := range map[string]struct {
		logs []string // as they are read one after the other; the attempt has ended at the last
		want []string
	}{
		"grows":            {[]string{"", "a\n", "a\nb\nc\n", "a\nb\nc\n"}, []string{"a", "b", "c"}},
		"half a line":      {[]string{"a\nb", "a\nbc\n"}, []string{"a", "bc"}},
		"no last feed":     {[]string{"a\nb"}, []string{"a", "b"}},
		"empty lines":      {[]string{"\n", "\n\na\n"}, []string{"", "", "a"}},
		"nothing":          {[]string{"", ""}, nil},
		"far behind a gap": {[]string{"a\nb\n", "a\n... 99 bytes left out ...\ny\nz\n"}, []string{"a", "b", "... 99 bytes left out ...", "y", "z"}},
	} {
		t.Run(name, func(t *testing.T) {
			var l followedLog
			var got []string
			for i, log := range test.logs {
				for _, line := range l.next([]byte(log), i == len(test.logs)-1) {
					got = append(got, string(line))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A stage that prints much between two looks: the lines that are still there come, in order and
// once.
func TestFollowedLog_KeepsUpWithALongLog(t *testing.T) {
	var l followedLog
	var all, got bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&all, "line %d\n", i)
		if i%100 != 0 {
			continue
		}
		log := all.Bytes()
		if len(log) > 8000 {
			log = slices.Concat(log[:1000], []byte("\n... some bytes left out ...\n"), log[len(log)-6000:])
		}
		for _, line := range l.next(log, false) {
			fmt.Fprintf(&got, "%s\n", line)
		}
	}
	if want := strings.TrimSuffix(all.String(), "line 4901\n"); !strings.HasPrefix(want, got.String()) {
		t.Errorf("got %d bytes that are not what was printed", got.Len())
	}
}
