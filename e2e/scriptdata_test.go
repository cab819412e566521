package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// lookUp returns a field a.b.c of a JSON object, and "" if it is not there.
func lookUp(object map[string]any, path string) string {
	name, rest, nested := strings.Cut(path, ".")
	value, ok := object[name]
	if inner, isObject := value.(map[string]any); nested && isObject {
		return lookUp(inner, rest)
	}
	if !ok || nested {
		return ""
	}
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func stdoutObject(ts *testscript.TestScript) (object map[string]any) {
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	return object
}

func checkJSON(ts *testscript.TestScript, args []string) {
	pattern, err := regexp.Compile(`^(?:` + args[1] + `)$`)
	ts.Check(err)
	if value := lookUp(stdoutObject(ts), args[0]); !pattern.MatchString(value) {
		ts.Fatalf("%s is %q, want %s", args[0], value, args[1])
	}
}

func checkFields(ts *testscript.TestScript, args []string) {
	want := strings.Split(args[0], ",")
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(stdoutObject(ts))); !slices.Equal(got, want) {
		ts.Fatalf("the fields are %q, want %q", got, want)
	}
}

func project(ts *testscript.TestScript, args []string) {
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile("stdout")))
	out := ts.Stdout()
	for lines.Scan() {
		var object map[string]any
		ts.Check(json.Unmarshal(lines.Bytes(), &object))
		var values []string
		for _, path := range args {
			if value := lookUp(object, path); value != "" {
				values = append(values, value)
			}
		}
		fmt.Fprintln(out, strings.Join(values, " "))
	}
	ts.Check(lines.Err())
}

var metricsURL = regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+)/metrics`)

func get(ts *testscript.TestScript, args []string) {
	var found []string
	if !poll(limit, func() bool {
		found = metricsURL.FindStringSubmatch(ts.ReadFile(args[0]))
		return found != nil
	}) {
		ts.Fatalf("%s names no metrics server", args[0])
	}
	var answer []byte
	wanted := regexp.MustCompile("(?m)" + strings.Join(args[2:], ""))
	if !poll(limit, func() bool {
		answer = ask(ts, found[1]+args[1])
		return wanted.Match(answer)
	}) {
		ts.Fatalf("no match for %q within %s in\n%s", wanted, limit, answer)
	}
	_, err := ts.Stdout().Write(answer)
	ts.Check(err)
}

// ask returns the answer of a server. If it is no success, its status is the first line.
func ask(ts *testscript.TestScript, url string) []byte {
	response, err := http.Get(url)
	ts.Check(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	ts.Check(err)
	if response.StatusCode != http.StatusOK {
		answer = append([]byte(response.Status+"\n"), answer...)
	}
	return answer
}

// startFakeRedis starts a server that answers INFO with a version.
func startFakeRedis(ts *testscript.TestScript, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	info := fmt.Sprintf("redis_version:%s\r\nrole:master\r\n", args[0])
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn, info)
		}
	}()
	ts.Setenv("REDIS", "redis://"+listener.Addr().String())
}

func answer(conn net.Conn, info string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		words, err := readCommand(in)
		if err != nil {
			return
		}
		reply := "+OK\r\n"
		switch strings.ToUpper(words[0]) {
		case "INFO":
			reply = fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)
		case "PING":
			reply = "+PONG\r\n"
		case "HELLO":
			reply = "-ERR unknown command\r\n"
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}

// readCommand reads a command as a client sends it: *1\r\n$4\r\nPING\r\n
func readCommand(in *bufio.Reader) (words []string, err error) {
	var n, size int
	if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil || n < 1 {
		return nil, errors.Join(errors.New("not a command"), err)
	}
	for range n {
		if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		word := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words = append(words, string(word[:size]))
	}
	return words, nil
}
