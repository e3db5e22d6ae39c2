package policy

import (
	"archive/zip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// zoneinfo is lib/time/zoneinfo.zip of the Go distribution. time/tzdata would
// not do: time.LoadLocation asks it last, after the host's own files, and two
// hosts with different files would replay one history differently.
//
//go:embed zoneinfo.zip
var zoneinfo string

// maxZoneBytes bounds the rules of one zone; the longest of the database are
// a little over 1 KiB.
const maxZoneBytes = 8 << 10

// ErrZone says that a time zone is not in the IANA database.
var ErrZone = errors.New("unknown time zone")

// LoadZone returns a time zone of the IANA database that is part of Parley, the
// same on every host. Empty is UTC. It is not for workflow code, which has the
// zone's rules in its snapshot.
func LoadZone(name string) (*time.Location, error) {
	_, location, err := loadZone(name)

	return location, err
}

// loadZone also returns the zone's rules, in the format of RFC 9636.
func loadZone(name string) ([]byte, *time.Location, error) {
	if name == "" {
		name = "UTC"
	}

	database, err := zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, nil, fmt.Errorf("open time zone database: %w", err)
	}

	for _, file := range database.File {
		switch {
		case file.FileInfo().IsDir():
		case file.Name == name:
			return readZone(file)
		case strings.EqualFold(file.Name, name):
			return nil, nil, fmt.Errorf("%w %q; did you mean %s?", ErrZone, name, file.Name)
		}
	}

	return nil, nil, fmt.Errorf("%w %q; its form is Europe/Berlin", ErrZone, name)
}

func readZone(file *zip.File) (rules []byte, location *time.Location, err error) {
	reader, err := file.Open()
	if err != nil {
		return nil, nil, fmt.Errorf("open time zone %s: %w", file.Name, err)
	}

	defer func() { err = errors.Join(err, reader.Close()) }()

	rules, err = io.ReadAll(io.LimitReader(reader, maxZoneBytes))
	if err != nil {
		return nil, nil, fmt.Errorf("read time zone %s: %w", file.Name, err)
	}

	location, err = time.LoadLocationFromTZData(file.Name, rules)
	if err != nil {
		return nil, nil, fmt.Errorf("decode time zone %s: %w", file.Name, err)
	}

	return rules, location, nil
}

// reach returns when a clock on the wall first shows wall or later, both in
// seconds: wall as if it were UTC, the result since 1970. Where the clock is
// put forward over wall that is the moment of the jump, and where it is put
// back and shows wall twice, the first time. So it grows with wall, and windows
// that do not overlap on the clock do not overlap in time either.
func reach(wall int64, location *time.Location) int64 {
	// No zone is this far from UTC, so the clock has not shown wall yet.
	const (
		hour   = 3600
		before = 26 * hour
	)

	at := wall - before

	for {
		start := time.Unix(at, 0).In(location)
		_, offset := start.Zone()
		_, end := start.ZoneBounds()
		hit := wall - int64(offset)

		if hit <= at {
			return at
		}

		next := end.Unix()

		// Go counts 365 days in every year that the rules describe, so on the
		// last day of a leap year the end is not after start. No clock changes
		// on that day.
		if !end.IsZero() && next <= at {
			next = at + hour
		}

		if end.IsZero() || hit < next {
			return hit
		}

		at = next
	}
}
