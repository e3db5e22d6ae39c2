package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress prints a line every two seconds about what goes on.
type progress struct {
	out   io.Writer
	begun time.Time

	mu   sync.Mutex
	what string
	look func() string
	stop chan struct{}
}

func newProgress(out io.Writer) *progress {
	const every = 2 * time.Second

	p := &progress{out: out, begun: time.Now(), stop: make(chan struct{})}

	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()

		for {
			select {
			case <-p.stop:
				return
			case <-ticker.C:
				p.tick()
			}
		}
	}()

	return p
}

func (p *progress) close() { close(p.stop) }

// about says what goes on from now on, and how far it is.
func (p *progress) about(what string, look func() string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.what, p.look = what, look
}

// say prints a line at once.
func (p *progress) say(line string) {
	fmt.Fprintf(p.out, "%6.1f s  %s\n", time.Since(p.begun).Seconds(), line)
}

func (p *progress) tick() {
	p.mu.Lock()
	what, look := p.what, p.look
	p.mu.Unlock()

	if look != nil {
		p.say(what + ": " + look())
	}
}
