package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// everywhere serves all countries and needs a country code.
func everywhere(t testing.TB) plan {
	t.Helper()
	p, err := newPlan("", nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The numbers are from ranges for fiction where a country has one.
func TestNumbers(t *testing.T) {
	p := everywhere(t)
	for _, c := range []struct{ typed, want string }{ // want: E.164, or the key of the error
		// Usual writings.
		{"+44 7700 900167", "+447700900167"},
		{"+447700900167", "+447700900167"},
		{"0044 7700 900167", "+447700900167"},
		{"00447700900167", "+447700900167"},
		{"+44 (0)7700 900167", "+447700900167"},
		{"+44 (0) 7700-900-167", "+447700900167"},
		{"(+44) 7700 900167", "+447700900167"},
		{"+44.7700.900.167", "+447700900167"},
		{"+44-7700-900167", "+447700900167"},
		{"+44 7700/900167", "+447700900167"},
		{"+44\u00a07700\u202f900167", "+447700900167"},
		{"+44–7700—900‑167", "+447700900167"},
		{" \t+44 7700 900167\r\n", "+447700900167"},
		{"\u202a+44 7700 900167\u202c", "+447700900167"}, // as iOS copies it
		{"+44\u200b7700\u2060900167\ufeff", "+447700900167"},
		{"tel:+447700900167", "+447700900167"},
		{"TEL:+44-7700-900167", "+447700900167"},
		{"＋４４　７７００　９００１６７", "+447700900167"},
		{"+٤٤ ٧٧٠٠ ٩٠٠١٦٧", "+447700900167"},
		{"+۴۴ ۷۷۰۰ ۹۰۰۱۶۷", "+447700900167"},
		{"+४४ ७७०० ९००१६७", "+447700900167"},

		// For fiction: in no metadata, or in them.
		{"+44 7700 900000", "+447700900000"},
		{"+44 7700 900999", "+447700900999"},
		{"+1 202 555 0143", "+12025550143"},
		{"+1 (212) 555-0199", "+12125550199"},
		{"+1 416 555 0123", "+14165550123"},
		{"+61 491 570 006", "+61491570006"},
		{"+33 6 39 98 12 34", "+33639981234"},
		{"+46 70 174 06 05", "+46701740605"},
		{"+353 20 91 0123", "err.phone"}, // not as long as a mobile number

		// Mobile numbers around the world.
		{"+44 7911 123456", "+447911123456"}, // Guernsey, says the library
		{"+49 1512 3456789", "+4915123456789"},
		{"+33 6 12 34 56 78", "+33612345678"},
		{"+34 612 34 56 78", "+34612345678"},
		{"+39 333 123 4567", "+393331234567"},
		{"+41 79 123 45 67", "+41791234567"},
		{"+43 664 123456", "+43664123456"},
		{"+31 6 12345678", "+31612345678"},
		{"+32 470 12 34 56", "+32470123456"},
		{"+351 912 345 678", "+351912345678"},
		{"+353 85 012 3456", "+353850123456"},
		{"+358 40 1234567", "+358401234567"},
		{"+45 41 23 45 67", "+4541234567"},
		{"+47 401 23 456", "+4740123456"},
		{"+48 501 234 567", "+48501234567"},
		{"+420 601 123 456", "+420601123456"},
		{"+36 20 123 4567", "+36201234567"},
		{"+380 50 123 4567", "+380501234567"},
		{"+90 532 123 45 67", "+905321234567"},
		{"+7 916 123-45-67", "+79161234567"},
		{"+7 701 123 4567", "+77011234567"},
		{"+86 138 1234 5678", "+8613812345678"},
		{"+81 90-1234-5678", "+819012345678"},
		{"+82 10-1234-5678", "+821012345678"},
		{"+91 98765 43210", "+919876543210"},
		{"+62 812-345-678", "+62812345678"},
		{"+63 917 123 4567", "+639171234567"},
		{"+65 9123 4567", "+6591234567"},
		{"+60 12-345 6789", "+60123456789"},
		{"+66 81 234 5678", "+66812345678"},
		{"+84 912 345 678", "+84912345678"},
		{"+971 50 123 4567", "+971501234567"},
		{"+966 51 234 5678", "+966512345678"},
		{"+964 790 123 4567", "+9647901234567"},
		{"+20 100 123 4567", "+201001234567"},
		{"+27 82 123 4567", "+27821234567"},
		{"+234 803 123 4567", "+2348031234567"},
		{"+254 712 345678", "+254712345678"},
		{"+55 11 98765-4321", "+5511987654321"},
		{"+54 9 11 2345-6789", "+5491123456789"},
		{"+54 11 15 2345-6789", "+5491123456789"}, // the same
		{"+52 55 1234 5678", "+525512345678"},
		{"+57 300 1234567", "+573001234567"},
		{"+64 21 123 4567", "+64211234567"},
		{"+383 49 123 456", "+38349123456"},
		{"+1 876 555 0123", "+18765550123"},
		{"+690 7290", "+6907290"},             // Tokelau: the shortest
		{"+44 56 1234 5678", "+445612345678"}, // over the internet: may get texts

		// Ranges newer than the metadata.
		{"+81 60-1234-5678", "+816012345678"},
		{"+972 50-123-4567", "+972501234567"},
		{"+45 12 34 56 78", "+4512345678"},
		{"+33 7 00 12 34 56", "+33700123456"},

		// They get no texts.
		{"+44 20 7946 0018", "err.phone.cannot"}, // fixed
		{"+39 06 1234 5678", "err.phone.cannot"},
		{"+54 11 2345-6789", "err.phone.cannot"},
		{"+354 581 2345", "err.phone.cannot"},
		{"+44 808 157 0000", "err.phone.cannot"}, // toll-free
		{"+1 800 555 0199", "err.phone.cannot"},
		{"+1 900 555 1234", "err.phone.cannot"}, // premium
		{"+44 909 879 0000", "err.phone.cannot"},
		{"+49 900 1 234567", "err.phone.cannot"},
		{"+41 900 123 456", "err.phone.cannot"},
		{"+33 899 12 34 56", "err.phone.cannot"},
		{"+44 871 234 5678", "err.phone.cannot"},
		{"+44 843 123 4567", "err.phone.cannot"}, // shared cost
		{"+44 300 123 4567", "err.phone.cannot"}, // UAN
		{"+44 70 1234 5678", "err.phone.cannot"}, // personal
		{"+49 700 1234 5678", "err.phone.cannot"},
		{"+1 500 555 0006", "err.phone.cannot"},
		{"+44 76 0012 3456", "err.phone.cannot"},     // pager
		{"+41 860 79 123 45 67", "err.phone.cannot"}, // voicemail
		{"+870 773 111 632", "err.phone.cannot"},     // satellites
		{"+881 6 123 45678", "err.phone.cannot"},
		{"+882 16 123 4567", "err.phone.cannot"},
		{"+883 510 000 000", "err.phone.cannot"},
		{"+979 1 2345 6789", "err.phone.cannot"},
		{"+800 1234 5678", "err.phone.cannot"},
		{"+808 1234 5678", "err.phone.cannot"},
		{"+878 10 1234567890", "err.phone.cannot"},

		// No numbers.
		{"", "err.phone"},
		{" ", "err.phone"},
		{"+", "err.phone"},
		{"00", "err.phone"},
		{"tel:", "err.phone"},
		{"0", "err.phone"},
		{"112", "err.phone"},
		{"07700 900167", "err.phone"}, // whose country?
		{"7700900167", "err.phone"},
		{"2025550143", "err.phone"},
		{"447700900167", "err.phone"},
		{"011 44 7700 900167", "err.phone"},
		{"+44 7700 90016", "err.phone"},
		{"+44 7700 9001677", "err.phone"},
		{"+44 7700", "err.phone"},
		{"+1 555 0143", "err.phone"},
		{"+49 151", "err.phone"},
		{"+47 59000", "err.phone"},
		{"+1 000 000 0000", "err.phone"},
		{"+1 111 111 1111", "err.phone"},
		{"+1 202 055 0143", "err.phone"},
		{"+1 155 555 0143", "err.phone"},
		{"+999 123456789", "err.phone"},
		{"+210 123456789", "err.phone"},
		{"+0 447700900167", "err.phone"},
		{"+43 00 679645731", "err.phone"}, // two zeros: a second writing of one number
		{"+979 12345678", "err.phone"},
		{"+1 800 FLOWERS", "err.phone"},
		{"+44 7700 90016O", "err.phone"},
		{"++447700900167", "err.phone"},
		{"44+7700900167", "err.phone"},
		{"+44 7700 900167 x12", "err.phone"},
		{"+44 7700 900167 ext. 12", "err.phone"},
		{"+44 7700 900167;ext=12", "err.phone"},
		{"tel:7700900167;phone-context=+44", "err.phone"},
		{"tel:+44;phone-context=tel:", "err.phone"},
		{"tel:tel:+447700900167", "err.phone"},
		{"sms:+447700900167", "err.phone"},
		{"call +44 7700 900167", "err.phone"},
		{"+44 7700 900167, please", "err.phone"},
		{"+44 7700 900167, +44 7700 900168", "err.phone"},
		{"+44 7700 900167 / +44 7700 900168", "err.phone"},
		{"+44 7700 900167\x00", "err.phone"},
		{"+44 7700 900167\xff", "err.phone"},
		{"+44 7700 900167#", "err.phone"},
		{"*31#+447700900167", "err.phone"},
		{"+44\n7700\n900167", "+447700900167"},
		{"+447700900167'; DROP TABLE factors; --", "err.phone"},
		{"<script>+447700900167</script>", "err.phone"},
		{"👩‍💻", "err.phone"},
		{"-1", "err.phone"},
		{"+" + strings.Repeat("4", 16), "err.phone"},
		{"+49" + strings.Repeat("1", 15), "err.phone"},
		{strings.Repeat(" ", 86) + "+447700900167", "+447700900167"},
		{strings.Repeat(" ", 88) + "+447700900167", "err.phone"},
		{strings.Repeat("4", 1<<20), "err.phone"},
	} {
		n, key := p.read(c.typed)
		if got := n.e164 + key; got != c.want {
			t.Errorf("%.60q: %s, want %s", c.typed, got, c.want)
		}
	}
}

func TestNumbersWithoutCountryCode(t *testing.T) {
	for _, c := range []struct{ region, typed, want string }{
		{"GB", "07700 900167", "+447700900167"},
		{"GB", "(07700) 900167", "+447700900167"},
		{"GB", "7700 900167", "+447700900167"},
		{"GB", "tel:07700900167", "+447700900167"},
		{"GB", "447700900167", "+447700900167"},
		{"GB", "00 1 202 555 0143", "+12025550143"},
		{"GB", "+1 202 555 0143", "+12025550143"},
		{"GB", "112", "err.phone"},
		{"GB", "020 7946 0018", "err.phone.cannot"},
		{"US", "(202) 555-0143", "+12025550143"},
		{"US", "1-202-555-0143", "+12025550143"},
		{"US", "011 44 7700 900167", "+447700900167"},
		{"US", "00 44 7700 900167", "+447700900167"}, // dialled 011 there
		{"US", "911", "err.phone"},
		{"AU", "0491 570 006", "+61491570006"},
		{"AU", "0011 44 7700 900167", "+447700900167"},
		{"AU", "0044 7700 900167", "+447700900167"},
		{"FR", "06 12 34 56 78", "+33612345678"},
		{"DE", "01512 3456789", "+4915123456789"},
		{"DE", "12345", "err.phone"},
		{"IT", "333 123 4567", "+393331234567"},
		{"IT", "06 1234 5678", "err.phone.cannot"},
		{"RU", "8 916 123-45-67", "+79161234567"},
		{"AR", "011 15 2345-6789", "+5491123456789"},
		{"JP", "090-1234-5678", "+819012345678"},
		{"IN", "098765 43210", "+919876543210"},
		{"IR", "۰۹۱۲ ۳۴۵ ۶۷۸۹", "+989123456789"},
	} {
		p, err := newPlan(c.region, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, key := p.read(c.typed)
		if got := n.e164 + key; got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.region, c.typed, got, c.want)
		}
	}
}

func TestAllNumbersOfBritishDrama(t *testing.T) {
	p, err := newPlan("GB", []string{"GB"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		last := string([]byte{'0' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10)})
		n, key := p.read("07700 900" + last)
		if n.e164 != "+447700900"+last || key != "" || n.region != "GB" || n.international != "+44 7700 900"+last {
			t.Fatalf("%s: %s %s %s", last, n.e164, n.region, key)
		}
	}
}

func TestCountries(t *testing.T) {
	for _, c := range []struct {
		countries, typed, want string // want: the region, or the key of the error
	}{
		{"", "+1 876 555 0123", "JM"},
		{"US", "+1 202 555 0143", "US"},
		{"US", "+1 876 555 0123", "err.phone.country"}, // shares the code, not the price
		{"US CA", "+1 416 555 0123", "CA"},
		{"US", "+1 416 555 0123", "err.phone.country"},
		{"GB", "+44 7700 900167", "GB"},
		{"GB", "+44 7911 123456", "err.phone.country"},
		{"GB GG", "+44 7911 123456", "GG"},
		{"GB", "+49 1512 3456789", "err.phone.country"},
		{"GB", "+44 909 879 0000", "err.phone.cannot"},
		{"GB", "+870 773 111 632", "err.phone.cannot"},
		{"GB", "nonsense", "err.phone"},
	} {
		p, err := newPlan("", strings.Fields(c.countries))
		if err != nil {
			t.Fatal(err)
		}
		n, key := p.read(c.typed)
		if got := n.region + key; got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.countries, c.typed, got, c.want)
		}
	}
}

func TestStored(t *testing.T) {
	for _, c := range []struct{ e164, international, hint, longHint, region string }{
		{"+447700900167", "+44 7700 900167", "•••• 67", "•••• 0167", "GB"},
		{"+12025550143", "+1 202-555-0143", "•••• 43", "•••• 0143", "US"},
		{"+6907290", "+690 7290", "•••• 90", "•••• 90", "TK"},              // four digits would be all
		{"+210123456789", "+210123456789", "•••• 89", "•••• 6789", "001"},  // a country code no more
		{"+4407700900167", "+4407700900167", "•••• 67", "•••• 0167", "GB"}, // written otherwise today
		{"+4477009", "+44 77009", "•••• 09", "•••• 09", "GB"},              // too short today
	} {
		n, err := stored(c.e164)
		if err != nil || n.e164 != c.e164 || n.international != c.international || n.hint() != c.hint || n.longHint() != c.longHint || n.region != c.region {
			t.Errorf("%s: %q %q %q %q, %v", c.e164, n.international, n.hint(), n.longHint(), n.region, err)
		}
	}
	for _, e164 := range []string{"", "+", "447700900167", "+44 7700 900167", "+0123456", "+4470\n", "+1234567890123456", "+44x00900167", "+٤٤7700900167"} {
		if _, err := stored(e164); err == nil || e164 != "" && strings.Contains(err.Error(), e164) {
			t.Errorf("%q: %v", e164, err)
		}
	}
}

func TestDigitsOfAllScripts(t *testing.T) {
	n := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.Is(unicode.Nd, r) {
			continue
		}
		if got := int(digit(r)); got != n%10 {
			t.Errorf("%U is %d, want %d", r, got, n%10)
		}
		n++
	}
	if n < 650 || n%10 != 0 {
		t.Errorf("%d digits", n)
	}
}

func FuzzNumber(f *testing.F) {
	for _, typed := range []string{"+44 7700 900167", "0044 7700 900167", "07700 900167", "tel:+1-202-555-0143", "+43 00 679645731", "+٤٤ ٧٧٠٠ ٩٠٠١٦٧", "\xff", "+", "+54 11 15 2345-6789", "tel:+44;phone-context=tel:"} {
		for _, region := range []string{"", "GB", "US", "AR", "IT"} {
			f.Add(typed, region)
		}
	}
	f.Fuzz(func(t *testing.T, typed, region string) {
		p, err := newPlan(region, nil)
		if err != nil {
			return
		}
		n, key := p.read(typed)
		switch {
		case key == "err.phone" || key == "err.phone.cannot":
			if n != (number{}) {
				t.Fatalf("%q is refused with a number", typed)
			}
			return
		case key != "":
			t.Fatalf("%q: %s", typed, key)
		case !shape.MatchString(n.e164) || len(n.region) != 2 || !utf8.ValidString(n.international):
			t.Fatalf("%q became %q in %q", typed, n.e164, n.region)
		}
		kept, err := stored(n.e164)
		if err != nil || kept.e164 != n.e164 || kept.region != n.region || kept.international != n.international {
			t.Fatalf("%q became %q, stored as %q of %q, %v", typed, n.e164, kept.e164, kept.region, err)
		}
		for _, spelling := range []string{n.e164, n.international, "tel:" + n.e164, "00" + n.e164[1:]} {
			if again, key := everywhere(t).read(spelling); again.e164 != n.e164 || key != "" {
				t.Fatalf("%q became %q, %q became %q %s", typed, n.e164, spelling, again.e164, key)
			}
		}
	})
}
