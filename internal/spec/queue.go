package spec

import "fmt"

// CheckQueue returns an error if the name is not legal for a queue: 1 to 100 letters, digits, '.',
// '_' and '-'.
func CheckQueue(name string) error {
	ok := len(name) > 0 && len(name) <= 100
	for _, c := range name {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return fmt.Errorf("illegal queue name %q: use up to 100 letters, digits, '.', '_' and '-'", name)
	}
	return nil
}
