package signals

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// ticketIDBytes of a SHA-256 tell the tickets of one installation apart.
const ticketIDBytes = 8

// TicketID returns the id of the one ticket that a session can have: t_ and 16
// hexadecimal digits, the same for the same session whoever asks, so that a
// repeated close-out cannot make a second ticket.
func TicketID(workflowID string, session int) string {
	sum := sha256.Sum256([]byte(workflowID + "\x00" + strconv.Itoa(session)))

	return "t_" + hex.EncodeToString(sum[:ticketIDBytes])
}
