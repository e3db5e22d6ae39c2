package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdktally "go.temporal.io/sdk/contrib/tally"
	sdklog "go.temporal.io/sdk/log"
)

// AddressVariable is Temporal's own environment variable: where it is set,
// Parley uses that cluster and embeds none.
const AddressVariable = "TEMPORAL_ADDRESS"

// ErrUnreachable says that the Temporal cluster does not answer.
var ErrUnreachable = errors.New("temporal does not answer")

// External reports whether the environment names a cluster to use.
func External() bool { return os.Getenv(AddressVariable) != "" }

// Dial connects to the cluster that the environment describes by Temporal's
// own variables (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY,
// TEMPORAL_TLS_…) or its configuration file; address and namespace, where they
// are given, are those of the embedded server and stand above them. It returns
// when the namespace answers, with the namespace's name.
func Dial(ctx context.Context, address, namespace string, metrics *Metrics, log *slog.Logger) (client.Client, string, error) {
	options := client.Options{}

	if address == "" {
		var err error
		if options, err = envconfig.LoadDefaultClientOptions(); err != nil {
			return nil, "", fmt.Errorf("read Temporal's settings: %w", err)
		}
	} else {
		options.HostPort, options.Namespace = address, namespace
	}

	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}

	options.Logger = sdklog.NewStructuredLogger(log)
	if metrics != nil {
		options.MetricsHandler = sdktally.NewMetricsHandler(metrics.Scope)
	}

	temporal, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, "", fmt.Errorf("%w at %s: check %s (%w)", ErrUnreachable, options.HostPort, AddressVariable, err)
	}

	if err := Ready(ctx, temporal, options.Namespace); err != nil {
		temporal.Close()

		return nil, "", fmt.Errorf("%w at %s: check %s and TEMPORAL_NAMESPACE (%w)",
			ErrUnreachable, options.HostPort, AddressVariable, err)
	}

	return temporal, options.Namespace, nil
}

// Ready asks whether the namespace answers.
func Ready(ctx context.Context, temporal client.Client, namespace string) error {
	const patience = 5 * time.Second

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	_, err := temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("describe the namespace %s: %w", namespace, err)
	}

	return nil
}
