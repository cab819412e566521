package spec

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/godags/godags/dag"
	"github.com/godags/godags/internal/jsontext"
	"github.com/godags/godags/internal/version"
)

// The stored form is zstd of: a JSON header, all names, all dependencies, and for each stage its
// kind. Columns of like things compress well and load fast: a million stages with three million
// edges take a few megabytes and well under a second.

type header struct {
	Format int    `json:"format"` // see [version.Format]
	Name   string `json:"name"`
	Values string `json:"values,omitempty"`
	Stages int    `json:"stages"`
	Edges  int    `json:"edges"`
	Settings
	Kinds []Kind `json:"kinds"`
}

// MaxEncoded is the size of the largest stored form, in bytes.
const MaxEncoded = 256 << 20

const (
	maxUnpacked = 2 << 30 // bytes of a stored form when unpacked

	// Of one that no holder of the key has signed. A million stages with three million edges
	// have 20 MB. The header has what each kind of stage is, which takes most memory: 100 times its
	// size.
	maxUnvouched       = 32 << 20
	maxUnvouchedHeader = 4 << 20
)

// Digest identifies an encoded pipeline: hexadecimal SHA-256.
func Digest(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// Encode returns the stored form.
func (s *Spec) Encode() ([]byte, error) {
	g := s.Graph
	head, err := jsontext.Marshal(header{version.Format, s.Name, s.Values, g.Len(), g.Edges(), s.Settings, s.kinds})
	if err != nil {
		return nil, fmt.Errorf("encode pipeline %q: %w", s.Name, err)
	}

	buf := binary.AppendUvarint(make([]byte, 0, 16*g.Len()+4*g.Edges()+len(head)), uint64(len(head)))
	buf = append(buf, head...)
	for id := range g.Len() {
		name := g.Name(dag.StageID(id))
		buf = append(binary.AppendUvarint(buf, uint64(len(name))), name...)
	}

	for id := range g.Len() {
		deps := g.Deps(dag.StageID(id))
		buf = binary.AppendUvarint(buf, uint64(len(deps)))
		for _, d := range deps {
			buf = binary.AppendVarint(buf, int64(id)-int64(d))
		}
	}

	for _, k := range s.kindOf {
		buf = binary.AppendUvarint(buf, uint64(k))
	}

	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("encode pipeline %q: %w", s.Name, err)
	}

	encoded := enc.EncodeAll(buf, nil)
	if len(buf) > maxUnpacked || len(encoded) > MaxEncoded {
		return nil, fmt.Errorf("pipeline %q is too large: frozen it has %d bytes, packed %d, and may have %d, packed %d", s.Name, len(buf), len(encoded), maxUnpacked, MaxEncoded)
	}

	return encoded, nil
}

// ErrUnvouched says that a stored form is larger than one that no holder of the key has signed
// may be.
var ErrUnvouched = errors.New("the pipeline is larger than is read without a signature of the key")

// Decode reads the stored form, whose digest a holder of the key has signed: it takes as much
// memory as it takes. Damaged input gives an error.
func Decode(encoded []byte) (*Spec, error) { return decode(encoded, maxUnpacked, maxUnpacked) }

// DecodeUnvouched reads a stored form that anybody may have written, in order to show it. If that
// would take much memory the error is [ErrUnvouched].
func DecodeUnvouched(encoded []byte) (*Spec, error) {
	s, err := decode(encoded, maxUnvouched, maxUnvouchedHeader)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = ErrUnvouched
	}
	return s, err
}

func decode(encoded []byte, most uint64, header int) (*Spec, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(most))
	if err != nil {
		return nil, fmt.Errorf("decode pipeline: %w", err)
	}
	defer dec.Close()

	raw, err := dec.DecodeAll(encoded, nil)
	if err != nil {
		return nil, fmt.Errorf("decode pipeline: %w", err)
	}

	r := &reader{data: string(raw), header: header}
	s, err := r.spec()
	if err != nil {
		return nil, fmt.Errorf("decode pipeline: %w", err)
	}

	return s, nil
}

// reader takes values off the front of data; after the first error all are zero. The names of the
// stages share its memory.
type reader struct {
	data   string
	header int // bytes that the header may have
	err    error
}

var errTruncated = errors.New("it is truncated or damaged")

func (r *reader) varint(decode func([]byte) (uint64, int)) uint64 {
	var buf [binary.MaxVarintLen64]byte
	v, n := decode(buf[:copy(buf[:], r.data)])
	if n <= 0 || r.err != nil {
		r.err = errTruncated
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) uint() uint64 { return r.varint(binary.Uvarint) }

func (r *reader) int() int64 {
	return int64(r.varint(func(b []byte) (uint64, int) {
		v, n := binary.Varint(b)
		return uint64(v), n
	}))
}

func (r *reader) text() string {
	n := r.uint()
	if r.err != nil || n > uint64(len(r.data)) {
		r.err = errTruncated
		return ""
	}
	text := r.data[:n]
	r.data = r.data[n:]
	return text
}

func (r *reader) spec() (*Spec, error) {
	var h header
	head := r.text()
	if len(head) > r.header {
		return nil, ErrUnvouched
	}
	if err := version.Decode([]byte(head), &h, &h.Format); err != nil {
		return nil, errors.Join(r.err, err)
	}
	// each takes at least a byte
	if h.Stages < 0 || h.Edges < 0 || h.Stages > len(r.data) || h.Edges > len(r.data) {
		return nil, errTruncated
	}

	g, err := r.graph(h)
	if err != nil {
		return nil, err
	}

	kindOf := make([]uint32, h.Stages)
	for i := range kindOf {
		k := r.uint()
		if k >= uint64(len(h.Kinds)) {
			return nil, errors.Join(errTruncated, r.err)
		}
		kindOf[i] = uint32(k)
	}

	if r.err != nil || r.data != "" {
		return nil, errors.Join(errTruncated, r.err)
	}

	s := &Spec{Name: h.Name, Values: h.Values, Graph: g, Settings: h.Settings, kinds: h.Kinds, kindOf: kindOf}
	return s, s.bind()
}

func (r *reader) graph(h header) (*dag.Graph, error) {
	names := make([]string, h.Stages)
	for i := range names {
		names[i] = r.text()
	}

	off := make([]uint32, 1, h.Stages+1)
	deps := make([]dag.StageID, 0, h.Edges)
	for i := range h.Stages {
		for range r.uint() {
			deps = append(deps, dag.StageID(int64(i)-r.int()))
			if r.err != nil {
				return nil, r.err
			}
		}
		off = append(off, uint32(len(deps)))
	}

	if r.err != nil {
		return nil, r.err
	}

	return dag.FromDeps(names, off, deps)
}
