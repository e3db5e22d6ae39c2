package dialect

// Handshaker is a dialect whose platform introduces itself with a secret that
// signs everything later.
type Handshaker interface {
	// Handshake answers an introduction; ok says that req is one. The secret
	// is to be kept, unless it is empty: then the introduction was refused, or
	// the secret is known already. Pinned secrets come back in src.Secrets.
	Handshake(req Request, src Source) (secret string, answer Response, ok bool)
}
