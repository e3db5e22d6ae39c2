package target

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Total adds the samples of one name in Prometheus' text form up, whatever
// their labels; ok is false where there is none.
func Total(metrics []byte, name string) (sum float64, ok bool) {
	for lines := bufio.NewScanner(bytes.NewReader(metrics)); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), name)
		if !found || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}

		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			continue
		}

		sum, ok = sum+value, true
	}

	return sum, ok
}

// ErrNoProfile says that a process offers no profile.
var ErrNoProfile = errors.New("the process offers no profile")

// SaveProfile writes a CPU profile over a time from a process that offers Go's
// own at base, such as http://127.0.0.1:6060, to a file.
func SaveProfile(ctx context.Context, base string, over time.Duration, path string) error {
	const (
		most  = 64 << 20
		grace = 10 * time.Second
	)

	ctx, cancel := context.WithTimeout(ctx, over+grace)
	defer cancel()

	seconds := max(1, int(over.Seconds()))
	address := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", base, seconds)

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask for a profile: %w", err)
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoProfile, err)
	}

	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}

	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d", ErrNoProfile, response.StatusCode)
	}

	const fileMode = 0o600
	if err := os.WriteFile(path, text, fileMode); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}

	return nil
}
