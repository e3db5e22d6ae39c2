package tests_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parleyhq/parley/signals"
)

// record makes TestRecord write the histories anew.
var record = flag.Bool("record", false, "record the histories in tests/histories anew") //nolint:gochecknoglobals // as flags are

// TestRecord goes every path on the real server and keeps the histories of its
// runs: `go test ./tests -run TestRecord -record`.
func TestRecord(t *testing.T) {
	t.Parallel()

	if !*record {
		t.Skip("records only when asked to, with -record")
	}

	require.NoError(t, os.MkdirAll(historiesDir, 0o750))

	b := newBench(t)

	for _, path := range historyPaths() {
		t.Run(path.name, func(t *testing.T) {
			t.Parallel()

			key := signals.Key{Source: path.source, Conversation: path.name}
			path.take(t, b, key)

			id := key.WorkflowID()
			if path.target != "" {
				id = key.DeliveryID(path.target)
			}

			for _, old := range recordedFiles(t, path.name) {
				require.NoError(t, os.Remove(old))
			}

			for i, run := range b.runs(t, id, max(1, path.runs)) {
				name := path.name
				if path.runs > 1 {
					name = fmt.Sprintf("%s.%d", path.name, i+1)
				}

				writeHistory(t, filepath.Join(historiesDir, name+".json"), fetchHistory(t, b.client, id, run))
			}
		})
	}
}
