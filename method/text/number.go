package text

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

const (
	maxTyped = 100 // bytes of a number as it was typed
	maxE164  = 15  // digits, ITU-T E.164 §6.2
	unknown  = "ZZ"
	nobody   = "001" // the region of country codes that belong to no country
)

// number is a phone number.
type number struct {
	e164          string // "+447700900167"
	international string // "+44 7700 900167"
	national      int    // how many digits it has after the country code
	region        string // "GB"
	parsed        *phonenumbers.PhoneNumber
}

// hint has the last two digits.
func (n number) hint() string { return n.last(2) }

func (n number) longHint() string { return n.last(4) }

func (n number) last(count int) string {
	return "•••• " + n.e164[len(n.e164)-min(count, n.national/2):]
}

// plan is what is known of the world's numbers, and whose are served.
//
// The rule of what is accepted: a number has a length that is possible in its
// country, and is not of a kind that gets no text messages. A number that the
// metadata do not know is given the benefit of the doubt, because new ranges come
// before new metadata and those for fiction are in none: it need only be as long
// as the country's mobile numbers. Whoever cannot type the code did not enroll.
type plan struct {
	region    string
	countries []string
	mobile    map[int32][]int32 // lengths of mobile numbers, by country code
}

func newPlan(region string, countries []string) (plan, error) {
	known := phonenumbers.GetSupportedRegions()
	for _, r := range append(slices.Clone(countries), region) {
		if !known[r] && (r != "" || slices.Contains(countries, "")) {
			return plan{}, fmt.Errorf("text: %.40q is no region with phone numbers; write two capital letters of ISO 3166-1, such as \"GB\"", r)
		}
	}
	if region == "" {
		region = unknown
	}
	metadata, _ := phonenumbers.MetadataCollection() // read before, when the package was loaded: see its initMetadata
	mobile := map[int32][]int32{}
	for _, m := range metadata.GetMetadata() {
		lengths := m.GetMobile().GetPossibleLength()
		if len(lengths) == 0 { // the same as in general
			lengths = m.GetGeneralDesc().GetPossibleLength()
		}
		mobile[m.GetCountryCode()] = append(mobile[m.GetCountryCode()], lengths...)
	}
	return plan{region, slices.Clone(countries), mobile}, nil
}

func (p plan) serves(region string) bool {
	return len(p.countries) == 0 || slices.Contains(p.countries, region)
}

// read understands a number as people write it. key says why not.
func (p plan) read(typed string) (n number, key string) {
	dialled, ok := compact(typed)
	if !ok {
		return number{}, "err.phone"
	}
	n, ok = parse(dialled, p.region)
	if rest, found := strings.CutPrefix(dialled, "00"); found && !(ok && n.possible()) {
		n, ok = parse("+"+rest, unknown) // not how one dials abroad from that region, but understood
	}
	if !ok || !n.possible() {
		return number{}, "err.phone"
	}
	if again, _ := parse(n.e164, unknown); again.e164 != n.e164 {
		return number{}, "err.phone" // with a 0 too many, which would make two numbers of one
	}
	if key := p.unfit(n); key != "" {
		return number{}, key
	}
	if !p.serves(n.region) {
		return number{}, "err.phone.country"
	}
	return n, ""
}

// unfit says why a number gets no text messages, if it gets none.
func (p plan) unfit(n number) (key string) {
	if n.region == nobody {
		return "err.phone.cannot" // satellites, ships, and services without a country
	}
	switch phonenumbers.GetNumberType(n.parsed) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE, phonenumbers.VOIP:
		return ""
	case phonenumbers.UNKNOWN:
		if !slices.Contains(p.mobile[n.parsed.GetCountryCode()], int32(n.national)) || !northAmerican(n) {
			return "err.phone"
		}
		return ""
	}
	return "err.phone.cannot" // fixed, toll-free, premium, shared cost, personal (forwards calls), pager, UAN, voicemail
}

// northAmerican is the shape of all numbers of country code 1, whatever is
// assigned: NXX-NXX-XXXX, with N not below 2. Others are not asked.
func northAmerican(n number) bool {
	d := n.e164[len(n.e164)-n.national:]
	return n.parsed.GetCountryCode() != phonenumbers.NANPA_COUNTRY_CODE || d[0] >= '2' && d[3] >= '2'
}

// parse reads digits, with + before a country code. Whether there can be such a
// number is another question.
func parse(dialled, region string) (number, bool) {
	p, err := phonenumbers.Parse(dialled, region)
	if err != nil {
		return number{}, false
	}
	n := number{
		e164:          phonenumbers.Format(p, phonenumbers.E164),
		international: phonenumbers.Format(p, phonenumbers.INTERNATIONAL),
		national:      len(phonenumbers.GetNationalSignificantNumber(p)),
		region:        phonenumbers.GetRegionCodeForNumber(p),
		parsed:        p,
	}
	if n.region == "" { // not in the metadata
		n.region = phonenumbers.GetRegionCodeForCountryCode(int(p.GetCountryCode()))
	}
	return n, true
}

// possible says that such a number can be, by its length.
func (n number) possible() bool {
	return phonenumbers.IsPossibleNumberWithReason(n.parsed) == phonenumbers.IS_POSSIBLE && len(n.e164) <= len("+")+maxE164
}

var shape = regexp.MustCompile(`^\+[1-9][0-9]{4,14}$`)

// stored reads what read made, maybe years ago: whatever the metadata say today,
// it is the number that was enrolled. The error does not quote it.
func stored(e164 string) (number, error) {
	if !shape.MatchString(e164) {
		return number{}, errors.New("text: what is stored is no phone number")
	}
	n, ok := parse(e164, unknown)
	if !ok {
		n.region = nobody
	}
	if n.e164 != e164 {
		n.e164, n.international, n.national = e164, e164, len(e164)-len("+123")
	}
	return n, nil
}

// compact keeps the digits of a number, as ASCII, and the + before them. It
// forgives what people and address books put around and between: "tel:", spaces,
// brackets, dots, dashes, slashes and invisible marks of direction. Anything else
// makes it no number; the library would search in it.
func compact(typed string) (string, bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	typed = strings.TrimSpace(typed)
	if scheme := "tel:"; len(typed) > len(scheme) && strings.EqualFold(typed[:len(scheme)], scheme) {
		typed = typed[len(scheme):]
	}
	var b strings.Builder
	for _, r := range typed {
		switch {
		case unicode.Is(unicode.Nd, r):
			b.WriteByte('0' + digit(r))
		case r == '+' || r == '＋':
			if b.Len() > 0 {
				return "", false
			}
			b.WriteByte('+')
		case unicode.IsSpace(r), unicode.In(r, unicode.Pd, unicode.Bidi_Control), strings.ContainsRune("()[].·/−（）\u200b\u2060\ufeff\u00ad", r):
		default:
			return "", false
		}
	}
	return b.String(), true
}

// digit is the value of a decimal digit of any script: Unicode has them in tens,
// in order, from 0.
func digit(r rune) byte {
	zero := r
	for unicode.Is(unicode.Nd, zero-1) {
		zero--
	}
	return byte((r - zero) % 10)
}
