package target

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used so far. Only Linux tells; elsewhere
// everything is zero.
type Usage struct {
	// CPU is processor time, of user and system together.
	CPU time.Duration
	// Resident is memory, in bytes.
	Resident int64
}

// ticksPerSecond is USER_HZ, the unit of /proc, which is 100 on every
// architecture that Go runs on.
const ticksPerSecond = 100

// UsageOf reads what a process uses; 0 is a process that is not known.
func UsageOf(pid int) Usage {
	if pid <= 0 {
		return Usage{}
	}

	return Usage{CPU: cpuOf(strconv.Itoa(pid)), Resident: residentOf(pid)}
}

// OwnCPU is the processor time of this program.
func OwnCPU() time.Duration { return cpuOf("self") }

// cpuOf reads /proc/pid/stat, whose fields follow the name in brackets: utime
// and stime are the 14th and 15th of all (proc_pid_stat(5)).
func cpuOf(pid string) time.Duration {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}

	_, rest, ok := bytes.Cut(text, []byte(") "))
	fields := strings.Fields(string(rest))

	const utime, stime = 11, 12
	if !ok || len(fields) <= stime {
		return 0
	}

	return ticks(fields[utime]) + ticks(fields[stime])
}

// MachineCPU is the processor time that all processes of the machine have used.
func MachineCPU() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}

	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)

	// cpu user nice system idle iowait irq softirq (proc_stat(5)).
	const idle, iowait, last = 4, 5, 7
	if len(fields) <= last {
		return 0
	}

	var busy time.Duration

	for i := 1; i <= last; i++ {
		if i != idle && i != iowait {
			busy += ticks(fields[i])
		}
	}

	return busy
}

func ticks(field string) time.Duration {
	count, err := strconv.ParseInt(field, 10, 64)
	if err != nil {
		return 0
	}

	return time.Duration(count) * time.Second / ticksPerSecond
}

func residentOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}

	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), "VmRSS:")
		if !ok {
			continue
		}

		kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
		if err != nil {
			return 0
		}

		return kilobytes << 10 //nolint:mnd // kilobytes to bytes
	}

	return 0
}
