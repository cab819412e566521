package cli

import (
	"strings"
	"testing"
)

func TestARunIsNamedByItsIDOrTheBeginningOfItOrLatest(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	f.failed("demo")
	f.submit("other-7", driven)

	for word, id := range map[string]string{
		"demo-1": "demo-1",
		"demo":   "demo", // although it is the beginning of another
		"oth":    "other-7",
		"latest": "other-7",
	} {
		f.execute("status", word).expect(t, 0, "run       "+id+"\n")
	}
	f.execute("status", "demo-").expect(t, 0, "run       demo-1\n")
	f.execute("status", "dem").expect(t, 2, `2 run IDs begin with "dem"`, "demo-1  failed", "demo  failed")
}

func TestAnUnknownRunIsExplained(t *testing.T) {
	f := newFixture(t)
	f.execute("status", "latest").expect(t, 2, "there are no runs yet", "`prog run --redis "+f.server.URL()+"`")
	f.failed("demo-1")
	for word, hint := range map[string]string{
		"demo-2":  "did you mean demo-1?",
		"lates":   "did you mean latest?",
		"nothing": "`prog runs --redis " + f.server.URL() + "` lists the runs",
	} {
		for _, command := range []string{"status", "events", "logs", "cancel", "graph"} {
			f.execute(command, word).expect(t, 2, "unknown run", word, hint)
		}
	}
}

func TestABadRunIDIsRefused(t *testing.T) {
	f := newFixture(t)
	for name, word := range map[string]string{
		"empty":        "",
		"newline":      "demo\n1",
		"folder":       "..",
		"path":         "../../etc/passwd",
		"escape":       "\x1b[2J",
		"option":       "-",
		"not UTF-8":    "\xff",
		"pattern":      "*",
		"a megabyte":   strings.Repeat("a", 1<<20),
		"braces":       "{demo}",
		"longest plus": strings.Repeat("a", 101),
	} {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{"status", "events", "logs", "cancel"} {
				o := f.execute(command, word)
				o.expect(t, 2, "illegal run ID")
				if len(o.stderr) > 1000 || strings.Contains(o.stderr, "\x1b") {
					t.Errorf("%s: the message is %d bytes: %.300q", command, len(o.stderr), o.stderr)
				}
			}
		})
	}
}

// The newest run is latest, whatever somebody has written to Redis.
func TestAnIDNeverHidesTheNewestRun(t *testing.T) {
	f := newFixture(t)
	f.submit("latest", driven)
	f.submit("newer", driven)
	f.execute("status", "latest").expect(t, 0, "run       newer\n")
	f.execute("run", "simple", "--run-id", "latest").expect(t, 2, `illegal run ID "latest": this word names the newest run`)
}

func TestTheWordsOfACommandAreCounted(t *testing.T) {
	execute(t, "cancel").expect(t, 2, "cancel needs a RUN")
	execute(t, "events", "a", "b").expect(t, 2, "events takes [RUN], but got 2 arguments")
	execute(t, "logs", "a", "b", "c").expect(t, 2, "logs takes [RUN [STAGE]], but got 3 arguments")
	execute(t, "runs", "a").expect(t, 2, "runs takes no argument")
	execute(t, "workers", "a").expect(t, 2, "workers takes no arguments")
	execute(t, "doctor", "a").expect(t, 2, "doctor takes no arguments")
	execute(t, "version", "a").expect(t, 2, "version takes no arguments")
}

func TestFlagsMayComeBeforeAndAfterArguments(t *testing.T) {
	f := newFixture(t)
	f.failed("demo-1")
	url := f.server.URL()
	for _, args := range [][]string{
		{"status", "demo-1", "--redis", url, "--output", "json"},
		{"status", "--output=json", "demo-1", "--redis=" + url},
		{"status", "--redis", url, "--output", "json", "--", "demo-1"},
	} {
		execute(t, args...).expect(t, 0, `{"run":"demo-1"`)
	}
	execute(t, "status", "demo-1", "--bogus").expect(t, 2, "bogus")
}

func TestAnUnreachableRedisIsExplained(t *testing.T) {
	for _, args := range [][]string{{"runs"}, {"status", "x"}, {"events", "x"}, {"logs", "x"}, {"cancel", "x"}, {"graph", "x"}, {"workers"}} {
		execute(t, append(args, "--redis", "unix:///nowhere/redis.sock")...).expect(t, 3, "cannot use Redis at unix:///nowhere/redis.sock", "nothing listens there")
		execute(t, append(args, "--redis", "ftp://somewhere")...).expect(t, 2, "the Redis URL cannot be used")
	}
}

func TestWithoutARedisServerNoEarlierRunCanBeSeen(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	home := t.TempDir()
	for _, command := range []string{"status", "events", "logs", "cancel", "graph"} {
		execute(t, command, "demo-1", "--home", home).expect(t, 2, "no redis-server on PATH: runs of earlier commands were not kept")
	}
	execute(t, "runs", "--home", home).expect(t, 0, "no redis-server on PATH: runs of earlier commands were not kept")
	execute(t, "workers", "--home", home).expect(t, 0, "no live workers")
}
