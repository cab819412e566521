package queue

import (
	"bytes"
	"fmt"

	"github.com/godags/godags/internal/sign"
)

// A task's payload is a JSON object whose last field is the signature of all bytes before it, and
// of the queue's name. It is verified before anything of it is decoded.
const (
	beforeSignature = `,"signature":"`
	afterSignature  = `"}`
	signatureSize   = len(beforeSignature) + sign.Size + len(afterSignature)
)

// signTask adds the signature to a JSON object.
func signTask(key sign.Key, queue string, object []byte) []byte {
	// Without the closing brace: the signature is the last field, so the signed bytes are a prefix
	// and nothing must be encoded in a canonical form.
	fields := object[:len(object)-1]
	signature := key.Sign(sign.Task, []byte(queue), fields)
	return append(append(append(fields, beforeSignature...), signature...), afterSignature...)
}

// verifyTask returns a payload if it was signed with the key for the queue.
func verifyTask(key sign.Key, queue string, payload []byte) ([]byte, error) {
	fields := payload
	tail := []byte(nil)
	if cut := len(payload) - signatureSize; cut >= 0 {
		fields = payload[:cut]
		tail = payload[cut:]
	}

	// By position and not by decoding: a decoder is a large surface for bytes that anybody may have
	// written.
	signature, before := bytes.CutPrefix(tail, []byte(beforeSignature))
	signature, after := bytes.CutSuffix(signature, []byte(afterSignature))
	if !before || !after {
		return nil, fmt.Errorf("%w: the task does not end in a signature", sign.ErrSignature)
	}
	if err := key.Verify(string(signature), sign.Task, []byte(queue), fields); err != nil {
		return nil, err
	}

	return payload, nil
}
