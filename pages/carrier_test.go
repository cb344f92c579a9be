package pages

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/text"
	"github.com/twinlatch/twinlatch/method/totp"
	"github.com/twinlatch/twinlatch/twinlatchtest"
)

// Numbers of the range that Ofcom keeps for drama; the last two end alike.
const (
	one     = "+447700900167"
	two     = "+447700900542"
	like    = "+447700900967"
	addText = security + "/add/text"
)

// carrier is a sender and the phones that it reaches.
type carrier struct {
	mu    sync.Mutex
	taken []twinlatch.Message
	tried int
	wrong error // what Send says instead of taking a message
}

func (*carrier) Name() string { return "carrier" }

func (*carrier) Carries(by twinlatch.Channel) bool { return by == twinlatch.Text }

func (c *carrier) Send(_ context.Context, m twinlatch.Message) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried++
	if c.wrong != nil {
		return "", c.wrong
	}
	c.taken = append(c.taken, m)
	return "ref-" + strconv.Itoa(len(c.taken)), nil
}

// says decides what Send answers from now on.
func (c *carrier) says(wrong error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = wrong
}

// got are the texts that a phone got, oldest first; of all phones if to is empty.
func (c *carrier) got(to string) (bodies []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.taken {
		if to == "" || m.To.Reveal() == to {
			bodies = append(bodies, m.Body.Reveal())
		}
	}
	return bodies
}

// newest is the text that a phone got last.
func (c *carrier) newest(t testing.TB, to string) string {
	t.Helper()
	all := c.got(to)
	if len(all) == 0 {
		t.Fatalf("nothing was sent to %s", to)
	}
	return all[len(all)-1]
}

var inMessage = regexp.MustCompile(`^([0-9]{6}) is your Twinlatch code\. Do not share it with anyone\.\n\n@twinlatch\.test #([0-9]{6})$`)

// code is that of the newest text.
func (c *carrier) code(t testing.TB, to string) string {
	t.Helper()
	body := c.newest(t, to)
	m := inMessage.FindStringSubmatch(body)
	if m == nil || m[1] != m[2] {
		t.Fatalf("the message is %q", body)
	}
	return m[1]
}

// notCode is a code that is not in the newest text.
func (c *carrier) notCode(t testing.TB, to string) string {
	t.Helper()
	right, err := strconv.Atoi(c.code(t, to))
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(1e6 + (right+1)%1e6)[1:]
}

// sends fails the test unless do has n messages sent.
func (c *carrier) sends(t testing.TB, n int, do func()) {
	t.Helper()
	before := len(c.got(""))
	do()
	if sent := len(c.got("")) - before; sent != n {
		t.Errorf("%d messages were sent, want %d", sent, n)
	}
}

// textMethods are the authenticator app and the text message, as wire.go has them.
func textMethods(t testing.TB, change ...func(*text.Config)) []twinlatch.Method {
	t.Helper()
	app, err := totp.New("Twinlatch")
	if err != nil {
		t.Fatal(err)
	}
	cfg := text.Config{App: "Twinlatch", Host: "twinlatch.test"}
	for _, f := range change {
		f(&cfg)
	}
	phone, err := text.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return []twinlatch.Method{app, phone}
}

// textDoor is a door with text messages.
func textDoor(t testing.TB, change ...func(*twinlatch.Config)) (*door, *carrier) {
	t.Helper()
	net := new(carrier)
	return doorOn(t, twinlatchtest.Migrated(t), func(c *twinlatch.Config) {
		c.Methods = textMethods(t)
		c.Sending.Senders = []twinlatch.Sender{net}
		for _, f := range change {
			f(c)
		}
	}), net
}

// addNumber enrolls a phone number; somebody's with an app too has just proved it.
func (p *person) addNumber(net *carrier, number string) {
	p.t.Helper()
	confirm := p.post(addText, "phone", number).is(303).location
	p.post(confirm, "code", net.code(p.t, number)).goes(security)
}

// anaWithNumbers has enrolled phone numbers, the first of which is asked first.
// A minute later each may get the next message.
func (d *door) anaWithNumbers(t testing.TB, net *carrier, numbers ...string) *person {
	t.Helper()
	ana := d.ana(t)
	for _, n := range numbers {
		ana.addNumber(net, n)
		ana.wait(time.Second) // so that they have an order
	}
	ana.wait(firstWait)
	return ana
}

// verifyByText does the second step anew, at a moment when nothing was asked.
func (p *person) verifyByText(net *carrier, number string) {
	p.t.Helper()
	p.post("/verify/ask").goes("/verify")
	p.post("/verify", "code", net.code(p.t, number)).goes(security)
}

// countdown is the class of the countdown before "Send again"; empty: there is
// none, and one may.
func (p *page) countdown() string {
	p.t.Helper()
	class := ""
	for n := range p.all("button") {
		if textOf(n) == "Send again" {
			class = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(attr(n, "class"), "link"), " late"))
			for _, other := range []string{"count num", "wait soft"} {
				if shown := strings.Contains(p.body, `class="`+other+" "+class+`"`); shown != (class != "") {
					p.t.Errorf("%s: %q is shown: %v, with %q", p.request, other, shown, class)
				}
			}
			return class
		}
	}
	p.t.Fatalf("%s: nothing to send again: %s", p.request, p.text("main"))
	return ""
}
