package signals

// maxRememberedID is in bytes: 512 ids are carried from run to run, so that a
// platform's long ones are remembered by their hash.
const maxRememberedID = 64

// RememberedID returns the form in which an event id stands in a [SeenID]: the
// id itself, or its hash where it is long.
func RememberedID(id string) string {
	if len(id) <= maxRememberedID {
		return id
	}

	return "#" + DerivedID(id)
}
