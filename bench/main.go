package main

import (
	"context"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == asynqRole {
		fmt.Fprintln(os.Stderr, serveAsynq(os.Args[2]))
		return
	}
	ctx := context.Background()
	l, err := openLab(ctx, "..")
	if err != nil {
		panic(err)
	}
	defer l.close()
	for range 3 {
		fmt.Println(l.inWorld(ctx, func(w *world) error {
			a, err := w.asynq()
			if err != nil {
				return err
			}
			fmt.Println(a.flat(20000))
			return nil
		}))
	}
}
