package main

import (
	"sync/atomic"
	"time"

	"github.com/parleyhq/parley/tests/load/report"
	"github.com/parleyhq/parley/tests/load/target"
)

// meter reads what a process uses while a mode runs.
type meter struct {
	pid    int
	begun  time.Time
	before target.Usage
	// machine and own are the processor time of everything and of this program.
	machine, own time.Duration
	most         atomic.Int64
	stop         chan struct{}
	stopped      chan struct{}
}

// used is what a meter read.
type used struct {
	cpu time.Duration
	// resident is the most memory in bytes.
	resident int64
	// others is how many processors other programs kept busy.
	others float64
}

func startMeter(pid int) *meter {
	m := &meter{
		pid: pid, begun: time.Now(), before: target.UsageOf(pid), machine: target.MachineCPU(), own: target.OwnCPU(),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	m.most.Store(m.before.Resident)

	go m.watch()

	return m
}

func (m *meter) watch() {
	const every = 250 * time.Millisecond

	defer close(m.stopped)

	ticker := time.NewTicker(every)
	defer ticker.Stop()

	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
			m.most.Store(max(m.most.Load(), target.UsageOf(m.pid).Resident))
		}
	}
}

// use fills in what a meter read.
func use(row *report.Row, read used) {
	row.CPU, row.Resident, row.Others = read.cpu.Seconds(), read.resident, read.others
}

// end stops the meter.
func (m *meter) end() used {
	close(m.stop)
	<-m.stopped

	after := target.UsageOf(m.pid)
	took := time.Since(m.begun)
	read := used{cpu: after.CPU - m.before.CPU, resident: max(m.most.Load(), after.Resident)}

	if m.pid > 0 {
		others := target.MachineCPU() - m.machine - read.cpu - (target.OwnCPU() - m.own)
		read.others = max(0, others.Seconds()/took.Seconds())
	}

	return read
}
