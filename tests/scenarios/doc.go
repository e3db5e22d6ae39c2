// Package scenarios holds the rules of a conversation's life as readable files:
// one for each row of the table of rules, and one for each clock. The tests play
// every file against the machine under a simulated clock that stops at each
// deadline, and carry the state through JSON after each step, as a run that
// continues as new does.
//
// A step is one of these:
//
//   - an event: at (when it arrives, from the start), type, from (who: ann is a
//     visitor; smith, jones and brown are agents; boss is a supervisor whom only agents
//     see; robot is a bot; a leading question mark hides the role), and text, id,
//     thread, said (when it happened by the platform's word) and with (any block
//     of the event);
//   - batch: several events that arrive together;
//   - tick: let so much time pass, with every clock on time;
//   - outage: let so much time pass in which nothing happens at all;
//   - sleep: the same before the events of the step, so that they arrive before
//     any clock that fell due meanwhile;
//   - command: accept, assign, decline, transfer, escalate, close, reopen, snooze
//     or note; refused tells what the refusal must say;
//   - offer: what the desk says: kind (offer unless told), agent, reason, free; it
//     answers the newest statement unless number says otherwise;
//   - expect: what must be so now; orders and asks are those made since the last
//     expect.
package scenarios
