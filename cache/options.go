package cache

// Option changes a setting of a backend.
type Option func(*options)

type options struct {
	maxSize int64
	prefix  string
}

// MaxSize sets the most bytes that one value may have, before compression. Zero or less keeps the
// default: 1 GiB for [Memory], 64 GiB for [Disk], 512 MiB for [Redis].
func MaxSize(bytes int64) Option {
	return func(o *options) {
		// A caller can pass on a setting of its user, in which 0 stands for the default.
		if bytes > 0 {
			o.maxSize = bytes
		}
	}
}

// Prefix sets what the keys in [Redis] begin with. The default is "godags:". Other backends ignore
// it.
func Prefix(prefix string) Option {
	return func(o *options) { o.prefix = prefix }
}

func newOptions(maxSize int64, opts []Option) options {
	o := options{maxSize: maxSize, prefix: "godags:"}
	for _, set := range opts {
		set(&o)
	}
	return o
}

func (o options) checkSize(backend string, key Key, value []byte) error {
	if size := int64(len(value)); size > o.maxSize {
		return &TooLargeError{Key: key, Size: size, Limit: o.maxSize, Backend: backend}
	}
	return nil
}
