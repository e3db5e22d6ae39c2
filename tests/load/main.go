// Command load measures a running Parley on this machine: how fast it
// acknowledges webhooks and finishes conversations, how many history events a
// message costs, and how late clocks fire.
//
//	go run ./tests/load --url http://127.0.0.1:8080
//
// It sends to loopback only, a bounded number of requests, and checks every
// conversation's counts at the end: a figure of a run that lost something is
// no figure. Start Parley with a short grace and quick pushes:
//
//	PARLEY_CONFIG=tests/load/parley.yaml go run ./cmd/parley start
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"time"
)

// options are the command line.
type options struct {
	url           string
	temporal      string
	conversations int
	events        int
	connections   int
	clocks        int
	first         time.Duration
	patience      time.Duration
}

var errNotLoopback = errors.New("is not on this machine: load goes to loopback only")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)

	stop()

	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var opts options

	flag.StringVar(&opts.url, "url", "http://127.0.0.1:8080", "where Parley listens")
	flag.StringVar(&opts.temporal, "temporal", "127.0.0.1:7233", "Temporal's gRPC address, to count history events; empty leaves that out")
	flag.IntVar(&opts.conversations, "conversations", 500, "conversations")
	flag.IntVar(&opts.events, "events", 20, "events in each, the close among them; at least 2")
	flag.IntVar(&opts.connections, "connections", 64, "connections that send at the same time")
	flag.IntVar(&opts.clocks, "clocks", 300, "conversations whose first push is timed; 0 leaves that out")
	flag.DurationVar(&opts.first, "first", 2*time.Second, "the policy's unreplied.first, for the lateness of clocks")
	flag.DurationVar(&opts.patience, "patience", 2*time.Minute, "how long to wait for what was sent to finish")
	flag.Parse()

	if err := opts.check(); err != nil {
		return err
	}

	api := newAPI(&opts)

	fmt.Printf("%d conversations of %d events over %d connections to %s\n", opts.conversations, opts.events, opts.connections, opts.url)

	result, err := throughput(ctx, api, &opts)
	if err != nil {
		return err
	}

	result.print()

	if opts.temporal != "" {
		perMessage, err := historyPerMessage(ctx, api, &opts)
		if err != nil {
			return err
		}

		fmt.Printf("history      %.2f events per message, averaged over 20 sent one at a time\n", perMessage)
	}

	if opts.clocks > 0 {
		late, err := lateness(ctx, api, &opts)
		if err != nil {
			return err
		}

		fmt.Printf("clocks       %d armed, late p50 %s, p95 %s, p99 %s, most %s\n",
			opts.clocks, late.at(0.50), late.at(0.95), late.at(0.99), late.at(1))
	}

	return nil
}

func (o *options) check() error {
	for _, address := range []string{o.url, o.temporal} {
		if address == "" {
			continue
		}

		host := address
		if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
			host = parsed.Host
		}

		host, _, err := net.SplitHostPort(host)
		if err != nil {
			return fmt.Errorf("%q: %w", address, err)
		}

		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%q %w", address, errNotLoopback)
		}
	}

	const most = 1_000_000

	if o.events < 2 || o.conversations < 1 || o.connections < 1 || o.conversations*o.events > most {
		return fmt.Errorf("at least 2 events, 1 conversation and 1 connection, and at most %d events in all", most)
	}

	return nil
}
