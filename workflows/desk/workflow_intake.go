package desk

import (
	"encoding/json"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/parleyhq/parley/signals"
)

// waiting reports whether a signal has not been taken in yet.
func (d *desk) waiting() bool { return d.asks.Len() > 0 || d.words.Len() > 0 }

// drain takes in every signal that has arrived: what is said of agents first, so
// that whoever asks finds them.
func (d *desk) drain(ctx workflow.Context) {
	if d.machine == nil {
		return
	}

	now := workflow.Now(ctx)

	for {
		var raw json.RawMessage
		if !d.words.ReceiveAsync(&raw) {
			break
		}

		for _, element := range elements(raw, "agents") {
			d.hear(ctx, element, now)
		}
	}

	for {
		var raw json.RawMessage
		if !d.asks.ReceiveAsync(&raw) {
			break
		}

		for _, element := range elements(raw, "asks") {
			d.take(ctx, element, now)
		}
	}
}

// elements are those of a batch: the SDK would drop a whole payload that it
// cannot decode, and a bad element must cost only itself. A bare one is as good.
func elements(raw json.RawMessage, field string) []json.RawMessage {
	var batch map[string]json.RawMessage

	if json.Unmarshal(raw, &batch) != nil || batch[field] == nil {
		return []json.RawMessage{raw}
	}

	var list []json.RawMessage

	if json.Unmarshal(batch[field], &list) != nil {
		return []json.RawMessage{raw}
	}

	return list
}

func (d *desk) take(ctx workflow.Context, raw json.RawMessage, now time.Time) {
	var ask signals.Ask

	if err := json.Unmarshal(raw, &ask); err != nil {
		d.reject(ctx, "A statement could not be read.", err)

		return
	}

	d.machine.Apply(ask, now)
}

func (d *desk) hear(ctx workflow.Context, raw json.RawMessage, now time.Time) {
	var word signals.AgentWord

	if err := json.Unmarshal(raw, &word); err != nil {
		d.reject(ctx, "A word about an agent could not be read.", err)

		return
	}

	d.machine.HearAgent(word, now)
}

func (d *desk) reject(ctx workflow.Context, what string, err error) {
	d.machine.Reject()
	workflow.GetLogger(ctx).Warn(what, "desk", d.name, "error", err)
}
