package tests_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// censor stands between a process and its Temporal server and refuses, as the
// server does what it will never take, every signal that holds one of its words.
type censor struct {
	address string
	onward  *grpc.ClientConn

	mu    sync.Mutex
	words []string
}

func newCensor(t *testing.T, to string) *censor {
	t.Helper()

	onward, err := grpc.NewClient(to, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, onward.Close()) })

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)

	one := &censor{address: listener.Addr().String(), onward: onward}
	server := grpc.NewServer(grpc.ForceServerCodec(frames{}), grpc.UnknownServiceHandler(one.pass))
	served := make(chan error, 1)

	go func() { served <- server.Serve(listener) }()

	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-served)
	})

	return one
}

// refuse makes these the words that are refused.
func (c *censor) refuse(words ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.words = words
}

// pass hands one call on, byte for byte; every call to Temporal has one request
// and one answer.
func (c *censor) pass(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)

	var request, answer frame

	if err := stream.RecvMsg(&request); err != nil {
		return err
	}

	if c.forbids(method, request) {
		return status.Error(codes.InvalidArgument, "this word is not for history")
	}

	ctx := stream.Context()
	if came, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, came)
	}

	if err := c.onward.Invoke(ctx, method, &request, &answer, grpc.ForceCodec(frames{})); err != nil {
		return err
	}

	return stream.SendMsg(&answer)
}

func (c *censor) forbids(method string, request frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	for _, word := range c.words {
		if strings.Contains(method, "Signal") && bytes.Contains(request, []byte(word)) {
			return true
		}
	}

	return false
}

// frame is a message that nobody decodes.
type frame []byte

// frames takes messages as they are, in the name of Protobuf.
type frames struct{}

var _ encoding.Codec = frames{}

func (frames) Name() string { return "proto" }

func (frames) Marshal(value any) ([]byte, error) {
	message, ok := value.(*frame)
	if !ok {
		return nil, fmt.Errorf("%T is no frame", value)
	}

	return *message, nil
}

func (frames) Unmarshal(data []byte, value any) error {
	message, ok := value.(*frame)
	if !ok {
		return fmt.Errorf("%T is no frame", value)
	}

	*message = bytes.Clone(data)

	return nil
}
