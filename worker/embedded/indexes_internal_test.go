package embedded

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
)

// The index of a column comes and goes with the attribute that has it, in files of the server's own making too.
func TestIndexesFollowTheAttributes(t *testing.T) {
	t.Parallel()
	lock, err := Lock(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lock.Close()) })
	files := newStores(lock.Dir(), "full")
	require.NoError(t, prepare(t.Context(), lock, files))
	require.Greater(t, len(indexesOf(t, lock.Dir(), files)), 50, "the server's schema is another one")

	attrs := map[string]enumspb.IndexedValueType{
		"ParleyStatus": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "ParleyPushes": enumspb.INDEXED_VALUE_TYPE_INT,
		"ParleyTags": enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}
	for range 2 {
		aliases, err := ensureNamespace(t.Context(), files.main, "default", minRetention, attrs)
		require.NoError(t, err)
		require.NoError(t, tendIndexes(t.Context(), lock.Dir(), files.visibility, aliases))
		require.ElementsMatch(t, append(keptIndexes(), "by_keyword_01", "by_int_01"), indexesOf(t, lock.Dir(), files))
	}

	attrs["Customer"] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	attrs["Since"] = enumspb.INDEXED_VALUE_TYPE_DATETIME
	aliases, err := ensureNamespace(t.Context(), files.main, "default", minRetention, attrs)
	require.NoError(t, err)
	require.NoError(t, tendIndexes(t.Context(), lock.Dir(), files.visibility, aliases))
	require.ElementsMatch(t, append(keptIndexes(), "by_keyword_01", "by_keyword_02", "by_datetime_01", "by_int_01"),
		indexesOf(t, lock.Dir(), files))
}

// Questions by an attribute, an id, a type or a status need not read through all runs.
func TestIndexesAreUsed(t *testing.T) {
	t.Parallel()
	lock, err := Lock(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, lock.Close()) })
	files := newStores(lock.Dir(), "full")
	require.NoError(t, prepare(t.Context(), lock, files))
	require.NoError(t, tendIndexes(t.Context(), lock.Dir(), files.visibility,
		map[string]string{"Keyword01": "ParleyStatus", "Keyword02": "ParleyDesk"}))
	store, err := openStore(t.Context(), lock.Dir(), visibilityFile, files.visibility)
	require.NoError(t, err)
	defer store.close()

	for condition, index := range map[string]string{
		"Keyword01 = 'open'":                     "by_keyword_01",
		"workflow_id = 'conversation:shop:1'":    "by_workflow_id",
		"workflow_type_name = 'Conversation'":    "by_workflow_type",
		"status = 1":                             "by_status",
		"TemporalNamespaceDivision = 'schedule'": "by_temporal_namespace_division",
		// As the server asks for a desk's open conversations.
		"(TemporalNamespaceDivision IS NULL AND workflow_type_name = 'Conversation' AND Keyword02 = 'support' AND status = 1)": "by_keyword_02",
		"TemporalNamespaceDivision IS NULL AND Keyword01 = 'open'":                                                             "by_keyword_01",
		"TemporalNamespaceDivision IS NULL AND status = 1 AND workflow_id = 'conversation:shop:1'":                             "by_workflow_id",
	} {
		var (
			id, parent, unused int
			plan               string
		)
		row := store.db.QueryRowContext(t.Context(),
			"EXPLAIN QUERY PLAN SELECT count(*) FROM executions_visibility WHERE namespace_id = 'n' AND "+condition)
		require.NoError(t, row.Scan(&id, &parent, &unused, &plan))
		require.Contains(t, plan, index, condition)
	}
}

func indexesOf(t *testing.T, dir string, files stores) []string {
	t.Helper()
	store, err := openStore(t.Context(), dir, visibilityFile, files.visibility)
	require.NoError(t, err)
	defer store.close()
	names, err := store.indexes(t.Context())
	require.NoError(t, err)
	return slices.Sorted(slices.Values(names))
}
