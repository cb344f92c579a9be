package webauthn

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
)

// Config is who asks for security keys.
type Config struct {
	// ID is the relying party's (RP ID, §5.4.2): a domain name, "example.com". A
	// key works for this name only, so it cannot be changed later.
	ID string

	// Name is shown by browsers: "Twinlatch".
	Name string

	// Origins are where our pages are, "https://id.example.com": https with the host
	// ID or one below it, or http on localhost. At least one.
	Origins []string

	// UserVerification: "preferred" asks keys that can for a PIN or finger, and is
	// what an empty one means; "required" accepts no others; "discouraged" never asks.
	UserVerification string

	// Models are AAGUIDs of the authenticators that may be enrolled, in hexadecimal
	// with hyphens. Empty: any. Then keys are asked which model they are,
	// and one that does not prove it with a certificate is refused. Who made the
	// certificate is not checked, so this keeps people to the list who mean well.
	Models []string
}

// New checks the configuration. Browsers know security keys on https and on
// localhost only, and never under an IP address: see Usable.
func New(c Config) (*Method, error) {
	if !isDomain(c.ID) {
		return nil, fmt.Errorf("webauthn: the ID %.80q is no domain name; security keys need one, in lower case", c.ID)
	}
	if c.Name == "" {
		return nil, errors.New("webauthn: the name is missing")
	}
	if len(c.Origins) == 0 {
		return nil, errors.New("webauthn: there is no origin")
	}
	for _, origin := range c.Origins {
		if err := checkOrigin(origin, c.ID); err != nil {
			return nil, err
		}
	}
	verification := protocol.UserVerificationRequirement(c.UserVerification)
	switch verification {
	case "":
		verification = protocol.VerificationPreferred
	case protocol.VerificationPreferred, protocol.VerificationRequired, protocol.VerificationDiscouraged:
	default:
		return nil, fmt.Errorf("webauthn: user verification is preferred, required or discouraged, not %.40q", c.UserVerification)
	}
	m := &Method{origins: slices.Clone(c.Origins)}
	for _, model := range c.Models {
		id, err := uuid.Parse(model)
		if err != nil || id.String() != strings.ToLower(model) || id == uuid.Nil {
			return nil, fmt.Errorf("webauthn: the model %.60q is no AAGUID, as in cb69481e-8ff7-4039-93ec-0a2729a154a8", model)
		}
		m.models = append(m.models, id[:])
	}
	timeout := webauthn.TimeoutConfig{Timeout: openFor, TimeoutUVD: openFor}
	library, err := webauthn.New(&webauthn.Config{
		RPID:                  c.ID,
		RPDisplayName:         c.Name,
		RPOrigins:             slices.Clone(c.Origins),
		AttestationPreference: protocol.PreferNoAttestation,
		// A second step needs no key that knows its owner, and the few places that
		// security keys have for those are not ours to take.
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementDiscouraged, RequireResidentKey: protocol.ResidentKeyNotRequired(),
			UserVerification: verification,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
	})
	if err != nil {
		return nil, fmt.Errorf("webauthn: %w", err)
	}
	m.library = library
	return m, nil
}

// Usable reports whether browsers let pages at an address use security keys.
func Usable(address *url.URL) bool {
	host := strings.ToLower(address.Hostname())
	return isDomain(host) && checkOrigin(originOf(address), host) == nil
}

// originOf is the origin of an address as browsers write it.
func originOf(address *url.URL) string {
	host := strings.ToLower(address.Host)
	switch address.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return address.Scheme + "://" + host
}

func checkOrigin(origin, id string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || strings.HasSuffix(u.Host, ":") || origin != originOf(u) {
		return fmt.Errorf("webauthn: %.200q is no origin as browsers write it, as in https://id.example.com", origin)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
			return fmt.Errorf("webauthn: the port of %s is no number from 1 to 65535", origin)
		}
	}
	host := u.Hostname()
	if u.Scheme != "https" && (u.Scheme != "http" || host != "localhost" && !strings.HasSuffix(host, ".localhost")) {
		return fmt.Errorf("webauthn: at %s browsers have no security keys; they want https", origin)
	}
	if host != id && !strings.HasSuffix(host, "."+id) {
		return fmt.Errorf("webauthn: the origin %s is not at %s or below it", origin, id)
	}
	// A page may ask for its own name, whatever that is.
	if suffix, _ := publicsuffix.PublicSuffix(id); host != id && suffix == id {
		return fmt.Errorf("webauthn: at %s browsers make no keys for the ID %q, below which are domains of many owners; take the domain that is yours", origin, id)
	}
	return nil
}

// isDomain reports whether a name is a lower-case domain name and no address.
func isDomain(name string) bool {
	if len(name) > 253 || name != strings.ToLower(name) {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return protocol.ValidateRPID(name) == nil
}
