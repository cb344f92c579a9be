package totp

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Apps show the two names on one line, and a short URI makes a QR code that a
// bad camera can read.
const maxName = 64 // bytes

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// uri is what the app scans, in the Key URI Format. Authenticators differ in
// what they forgive, so it says everything once, in the customary order, and
// escapes all but letters, digits and "-._~".
func uri(issuer, account string, secret []byte) string {
	return "otpauth://totp/" + escape(issuer) + ":" + escape(account) +
		"?secret=" + encoding.EncodeToString(secret) +
		"&issuer=" + escape(issuer) +
		fmt.Sprintf("&algorithm=SHA1&digits=%d&period=%d", digits, period)
}

// escape is percent-encoding with %20 for a space: in a label, and in some apps
// everywhere, "+" is a plus sign.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// clean makes a name fit for a label. It drops control characters, invalid
// UTF-8, line separators and what reorders text for the eye (bidirectional
// controls), makes "-" of ":", which separates issuer and account even when
// escaped, trims spaces, and cuts what is longer than maxName.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == ':':
			return '-'
		case r == utf8.RuneError, unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, name)
	name = strings.TrimSpace(name)
	if len(name) > maxName {
		end := maxName
		for !utf8.RuneStart(name[end]) {
			end--
		}
		name = strings.TrimSpace(name[:end])
	}
	return name
}

// ParseURI takes apart what BeginEnroll puts into Prompt.QR, as an app would; it
// is for authenticators in tests and tools. It is no reader for the URIs of
// others: whatever BeginEnroll would not write, letter for letter, is an error.
func ParseURI(s string) (issuer, account string, secret []byte, err error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", "", nil, errors.New("totp: this is no URI") // the cause would quote the secret
	}
	issuer, account, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), ":")
	secret, err = encoding.DecodeString(u.Query().Get("secret"))
	switch {
	case u.Scheme != "otpauth" || u.Host != "totp":
		return "", "", nil, errors.New("totp: this URI does not begin with otpauth://totp/")
	case issuer == "" || issuer != clean(issuer) || account == "" || account != clean(account):
		return "", "", nil, errors.New("totp: the label of this URI is not issuer:account")
	case err != nil || len(secret) < minSecret:
		return "", "", nil, fmt.Errorf("totp: this URI has no secret of at least %d bytes", minSecret)
	case s != uri(issuer, account, secret):
		return "", "", nil, errors.New("totp: this URI has another order, parameter or escape than ours")
	}
	return issuer, account, secret, nil
}
