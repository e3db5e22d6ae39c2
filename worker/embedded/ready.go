package embedded

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const (
	// readyInterval is the pause between two looks, readyAttempt bounds one.
	readyInterval = 10 * time.Millisecond
	readyAttempt  = 2 * time.Second

	// frontendHealth is the name under which the frontend reports its health.
	frontendHealth = "temporal.api.workflowservice.v1.WorkflowService"
	// absentWorkflow is asked for to hear the history shard say that it does not exist.
	absentWorkflow = "parley-start-check"
)

// waitReady returns when the server really answers. Its Start returns before the history shard is acquired, and a
// client that dials then may wait for seconds.
func waitReady(ctx context.Context, frontend, namespace string, attrs map[string]enumspb.IndexedValueType) error {
	conn, err := grpc.NewClient(frontend, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return fmt.Errorf("connect to %s: %w", frontend, err)
	}
	defer func() { _ = conn.Close() }() // nothing is under way
	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for {
		err = checkReady(ctx, conn, namespace, attrs)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}

func checkReady(ctx context.Context, conn *grpc.ClientConn, namespace string, attrs map[string]enumspb.IndexedValueType) error {
	ctx, cancel := context.WithTimeout(ctx, readyAttempt)
	defer cancel()
	health, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: frontendHealth})
	if err != nil {
		return fmt.Errorf("frontend health: %w", err)
	}
	if health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("frontend health: %s", health.GetStatus())
	}
	if err := checkSearchAttributes(ctx, conn, namespace, attrs); err != nil {
		return err
	}
	_, err = workflowservice.NewWorkflowServiceClient(conn).DescribeWorkflowExecution(ctx,
		&workflowservice.DescribeWorkflowExecutionRequest{
			Namespace: namespace,
			Execution: &commonpb.WorkflowExecution{WorkflowId: absentWorkflow},
		})
	if err != nil && status.Code(err) != codes.NotFound {
		return fmt.Errorf("history service: %w", err)
	}
	return nil
}

// checkSearchAttributes asks the server whether it knows what was written for it; that an attribute is missing would
// otherwise show as a workflow task that fails for ever.
func checkSearchAttributes(ctx context.Context, conn *grpc.ClientConn, namespace string, attrs map[string]enumspb.IndexedValueType) error {
	known, err := operatorservice.NewOperatorServiceClient(conn).ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("search attributes of namespace %s: %w", namespace, err)
	}
	for name, kind := range attrs {
		if found, ok := known.GetCustomAttributes()[name]; !ok || found != kind {
			return fmt.Errorf("search attribute %s of namespace %s is %s instead of %s", name, namespace, found, kind)
		}
	}
	return nil
}
