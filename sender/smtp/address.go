package smtp

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/twinlatch/twinlatch"
)

const (
	longestAddress = 254 // RFC 5321, with the erratum 1690 of RFC 3696
	longestLocal   = 64
)

var (
	dotAtom = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
	host    = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

// mailbox reads an address and nothing else: no name, comment, quotes or route.
// Its domain is returned in the letters that DNS has. Errors do not quote it:
// ErrBadRecipient, or ErrNoRoute for one that needs SMTPUTF8.
func mailbox(text string) (address, domain string, err error) {
	at := strings.LastIndexByte(text, '@')
	if at < 0 || !utf8.ValidString(text) {
		return "", "", fmt.Errorf("no address: %w", twinlatch.ErrBadRecipient)
	}
	local := text[:at]
	if domain, err = idna.Lookup.ToASCII(text[at+1:]); err != nil || !isHost(domain) {
		return "", "", fmt.Errorf("an address without a domain: %w", twinlatch.ErrBadRecipient)
	}
	ascii := strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return 'a'
		}
		return r
	}, local)
	address = local + "@" + domain
	switch {
	case !dotAtom.MatchString(ascii), len(local) > longestLocal, len(address) > longestAddress:
		return "", "", fmt.Errorf("no address: %w", twinlatch.ErrBadRecipient)
	case ascii != local:
		return "", "", fmt.Errorf("an address with letters that are not ASCII: %w", twinlatch.ErrNoRoute)
	}
	return address, domain, nil
}

func isHost(name string) bool { return len(name) <= 253 && host.MatchString(name) }
