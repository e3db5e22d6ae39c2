package main

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// samples are one folder per dialect; a sample is called as the platform calls
// its event, with - for a colon.
//
//go:embed samples
var samples embed.FS

// maxSentBytes bounds what is read to be sent or explained: more than a
// gateway takes.
const maxSentBytes = 4 << 20

var (
	errSample   = errors.New("is neither a file nor a built-in sample")
	errSentSize = errors.New("is larger than 4 MiB")
)

// sampleNames are the built-in samples of a dialect.
func sampleNames(dialect string) []string {
	entries, err := fs.ReadDir(samples, path.Join("samples", dialect))
	if err != nil { // a dialect without samples
		return nil
	}

	names := make([]string, 0, len(entries))

	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".json"))
	}

	return names
}

// readSent returns the body to be sent and the event's name as the file's or
// the sample's name tells it; empty if it came from stdin.
func readSent(what, dialect string, stdin io.Reader) (body []byte, name string, err error) {
	if what == "" || what == "-" {
		body, err = readBounded(stdin, "stdin")

		return body, "", err
	}

	file, err := os.Open(what)
	if errors.Is(err, fs.ErrNotExist) {
		return readSample(what, dialect)
	}

	if err != nil {
		return nil, "", fmt.Errorf("open what to send: %w", err)
	}

	defer func() { err = errors.Join(err, file.Close()) }()

	body, err = readBounded(file, what)
	name, _, _ = strings.Cut(filepath.Base(what), ".")

	return body, name, err
}

func readSample(what, dialect string) (body []byte, name string, err error) {
	name = strings.ReplaceAll(strings.TrimSuffix(what, ".json"), ":", "-")

	body, err = samples.ReadFile(path.Join("samples", dialect, name+".json"))
	if err != nil {
		return nil, "", fmt.Errorf("%q %w of %s; there are: %s", what, errSample, dialect, strings.Join(sampleNames(dialect), ", "))
	}

	return body, name, nil
}

func readBounded(in io.Reader, name string) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(in, maxSentBytes+1))

	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(body) > maxSentBytes:
		return nil, fmt.Errorf("%s %w", name, errSentSize)
	default:
		return body, nil
	}
}
