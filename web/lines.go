package web

import "net/http"

// HeaderLineWriter is a ResponseWriter that sends header lines as they are given, which costs
// less than to have net/http copy, sort and write the same ones for each request. That of
// package server is one; elsewhere headers have to be set.
type HeaderLineWriter interface {
	http.ResponseWriter

	// WriteHeaderLines answers with a status, with lines that each end in CRLF beside the headers
	// of net/http, and without a body. It is called instead of WriteHeader and Write, or panics:
	// later lines would be in the answer to somebody else. Nobody changes lines.
	WriteHeaderLines(status int, lines []byte)
}
