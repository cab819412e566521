package picture

import "bufio"

func writeASCII(w *bufio.Writer, in Input) error { return nil }
