package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	serversql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	clusterName     = "active"
	systemNamespace = primitives.SystemLocalNamespace
)

// ensureNamespace brings the namespace, its retention and its search attributes to what is asked for, in the file,
// before the server starts. Through the running server the same takes seconds to be seen by every service, each of
// which caches namespaces; here nobody has read them yet. What others added stays. It returns which
// of visibility's columns has which attribute.
func ensureNamespace(
	ctx context.Context, file *config.SQL, name string, retention time.Duration, attrs map[string]enumspb.IndexedValueType,
) (map[string]string, error) {
	db, err := serversql.NewSQLDB(
		sqlplugin.DbKindMain, file, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return nil, fmt.Errorf("open the namespace table: %w", err)
	}
	defer func() { _ = db.Close() }() // gives back a reference; the pool keeps the connection for the server
	rows, err := db.SelectFromNamespace(ctx, sqlplugin.NamespaceFilter{Name: &name})
	if errors.Is(err, sql.ErrNoRows) || (err == nil && len(rows) == 0) {
		return createNamespace(file, name, retention, attrs)
	}
	if err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", name, err)
	}
	return updateNamespace(ctx, db, &rows[0], retention, attrs)
}

func createNamespace(
	file *config.SQL, name string, retention time.Duration, attrs map[string]enumspb.IndexedValueType,
) (map[string]string, error) {
	namespace, err := sqliteschema.NewNamespaceConfig(clusterName, name, false, nil)
	if err != nil {
		return nil, fmt.Errorf("describe namespace %s: %w", name, err)
	}
	aliases, err := mergeAliases(nil, attrs)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	// The helper's own retention is 24 hours.
	namespace.Detail.Config.Retention = durationpb.New(retention)
	namespace.Detail.Config.CustomSearchAttributeAliases = aliases
	if err := sqliteschema.CreateNamespaces(file, namespace); err != nil {
		return nil, fmt.Errorf("create namespace %s: %w", name, err)
	}
	return aliases, nil
}

func updateNamespace(
	ctx context.Context, db sqlplugin.DB, row *sqlplugin.NamespaceRow, retention time.Duration, attrs map[string]enumspb.IndexedValueType,
) (map[string]string, error) {
	serializer := serialization.NewSerializer()
	detail, err := serializer.NamespaceDetailFromBlob(persistence.NewDataBlob(row.Data, row.DataEncoding))
	if err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", row.Name, err)
	}
	if detail.GetConfig() == nil {
		detail.Config = new(persistencespb.NamespaceConfig)
	}
	aliases, err := mergeAliases(detail.GetConfig().GetCustomSearchAttributeAliases(), attrs)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", row.Name, err)
	}
	current := detail.GetConfig()
	if current.GetRetention().AsDuration() == retention && maps.Equal(aliases, current.GetCustomSearchAttributeAliases()) {
		return aliases, nil
	}
	detail.Config.Retention = durationpb.New(retention)
	detail.Config.CustomSearchAttributeAliases = aliases
	detail.ConfigVersion++
	blob, err := serializer.NamespaceDetailToBlob(detail)
	if err != nil {
		return nil, fmt.Errorf("encode namespace %s: %w", row.Name, err)
	}
	row.Data, row.DataEncoding = blob.GetData(), blob.GetEncodingType().String()
	if _, err := db.UpdateNamespace(ctx, row); err != nil {
		return nil, fmt.Errorf("update namespace %s: %w", row.Name, err)
	}
	return aliases, nil
}

// mergeAliases gives every wanted attribute a column of its type: SQL visibility has a fixed number of columns of each
// (10 keywords, 3 of most others), and a namespace maps its attributes' names to them.
func mergeAliases(have map[string]string, want map[string]enumspb.IndexedValueType) (map[string]string, error) {
	columns := sadefs.GetDBIndexSearchAttributes(nil).GetCustomSearchAttributes()
	aliases := make(map[string]string, len(have)+len(want))
	maps.Copy(aliases, have)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		column, ok := columnOf(aliases, name)
		if ok && columns[column] != want[name] {
			return nil, fmt.Errorf("search attribute %s %w: it exists with type %s instead of %s; set TEMPORAL_NAMESPACE or PARLEY_DATA_DIR",
				name, ErrConfig, columns[column], want[name])
		}
		if ok {
			continue
		}
		if column, ok = freeColumn(aliases, columns, want[name]); !ok {
			return nil, fmt.Errorf("search attribute %s %w: all columns of type %s are taken; remove one, or set TEMPORAL_NAMESPACE",
				name, ErrConfig, want[name])
		}
		aliases[column] = name
	}
	return aliases, nil
}

func columnOf(aliases map[string]string, name string) (string, bool) {
	for column, alias := range aliases {
		if alias == name {
			return column, true
		}
	}
	return "", false
}

func freeColumn(aliases map[string]string, columns map[string]enumspb.IndexedValueType, kind enumspb.IndexedValueType) (string, bool) {
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		if _, taken := aliases[column]; !taken && columns[column] == kind {
			return column, true
		}
	}
	return "", false
}
