//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package redisx

import (
	"context"
	"errors"
)

func findServer(context.Context) (binary, lack string) {
	return "", "no private redis-server on this system"
}

func openPrivate(context.Context, string, string) (*Conn, error) {
	return nil, errors.ErrUnsupported
}
