package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/parleyhq/parley/signals"
)

// ErrAttributes says that the cluster has not all search attributes that
// Parley's workflows set, and does not let it add them. A workflow that sets an
// unknown one fails its task for ever, so nothing is started without them.
var ErrAttributes = errors.New("search attributes are missing")

// SearchAttributes are what conversations set, by name.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		signals.AttrSource:         enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		signals.AttrStatus:         enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		signals.AttrAgent:          enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		signals.AttrDesk:           enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		signals.AttrUnrepliedSince: enumspb.INDEXED_VALUE_TYPE_DATETIME,
		signals.AttrPushes:         enumspb.INDEXED_VALUE_TYPE_INT,
		signals.AttrTags:           enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}
}

// MissingAttributes returns those of [SearchAttributes] that the namespace does
// not have, sorted.
func MissingAttributes(ctx context.Context, temporal client.Client, namespace string) ([]string, error) {
	listed, err := temporal.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list search attributes: %w", err)
	}

	var missing []string

	for _, name := range slices.Sorted(maps.Keys(SearchAttributes())) {
		if _, ok := listed.GetCustomAttributes()[name]; !ok {
			missing = append(missing, name)
		}
	}

	return missing, nil
}

// EnsureAttributes adds the missing search attributes and waits until the
// namespace knows them. Where the cluster forbids it, the error is
// [ErrAttributes] with the command line that its operator has to run.
func EnsureAttributes(ctx context.Context, temporal client.Client, namespace string) error {
	missing, err := MissingAttributes(ctx, temporal, namespace)
	if err != nil || len(missing) == 0 {
		return err
	}

	all := SearchAttributes()
	wanted := make(map[string]enumspb.IndexedValueType, len(missing))

	for _, name := range missing {
		wanted[name] = all[name]
	}

	_, err = temporal.OperatorService().AddSearchAttributes(ctx,
		&operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: wanted})

	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("%w in namespace %s: run `%s` (%w)", ErrAttributes, namespace, attributeCommand(namespace, missing), err)
	}

	return awaitAttributes(ctx, temporal, namespace)
}

func awaitAttributes(ctx context.Context, temporal client.Client, namespace string) error {
	const pause = 200 * time.Millisecond

	ticker := time.NewTicker(pause)
	defer ticker.Stop()

	for {
		missing, err := MissingAttributes(ctx, temporal, namespace)
		if err == nil && len(missing) == 0 {
			return nil
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("%w in namespace %s after waiting: %s", ErrAttributes, namespace, strings.Join(missing, ", "))
		case <-ticker.C:
		}
	}
}

// attributeCommand is what an operator runs with Temporal's own command line.
func attributeCommand(namespace string, missing []string) string {
	names := map[enumspb.IndexedValueType]string{
		enumspb.INDEXED_VALUE_TYPE_KEYWORD:      "Keyword",
		enumspb.INDEXED_VALUE_TYPE_DATETIME:     "Datetime",
		enumspb.INDEXED_VALUE_TYPE_INT:          "Int",
		enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST: "KeywordList",
	}

	var command strings.Builder

	command.WriteString("temporal operator search-attribute create --namespace " + namespace)

	for _, name := range missing {
		command.WriteString(" --name " + name + " --type " + names[SearchAttributes()[name]])
	}

	return command.String()
}
