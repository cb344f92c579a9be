package twinlatch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/method/text"
)

// postman is a Sender of the tests' own. It takes everything until it is told
// otherwise.
type postman struct {
	name string
	mail bool // carries e-mails, else texts

	mu    sync.Mutex
	taken []letter
	asked int                                            // calls of Send
	does  func(context.Context, twinlatch.Message) error // nil: takes
	after func(twinlatch.Message)                        // when it has taken one
}

// letter is what arrived.
type letter struct {
	id       twinlatch.MessageID
	to, body string
}

func (p *postman) Name() string { return p.name }

func (p *postman) Carries(by twinlatch.Channel) bool { return (by == twinlatch.Email) == p.mail }

func (p *postman) Send(ctx context.Context, m twinlatch.Message) (string, error) {
	p.mu.Lock()
	p.asked++
	does, after := p.does, p.after
	p.mu.Unlock()
	if does != nil {
		if err := does(ctx, m); err != nil {
			return "", err
		}
	}
	p.mu.Lock()
	p.taken = append(p.taken, letter{m.ID, m.To.Reveal(), m.Body.Reveal()})
	p.mu.Unlock()
	if after != nil {
		after(m)
	}
	return p.name + "-" + string(m.ID), nil
}

// fails makes the postman answer with an error; nil: it works again.
func (p *postman) fails(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.does = func(context.Context, twinlatch.Message) error { return err }
}

func (p *postman) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.taken)
}

func (p *postman) calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// pin is the code in the newest letter.
func (p *postman) pin() string {
	all := p.letters()
	return all[len(all)-1].body[:6]
}

var errDown = errors.New("the vendor is down")

const (
	mobile = "+447700900167"
	other  = "+447700900542"
)

// texting configures text messages, carried by these in their order.
func texting(all ...*postman) func(*twinlatch.Config) {
	return func(c *twinlatch.Config) {
		phone, err := text.New(text.Config{App: "Acme", Host: "id.example.com"})
		if err != nil {
			panic(err)
		}
		c.Methods = append(c.Methods, phone)
		for _, p := range all {
			c.Sending.Senders = append(c.Sending.Senders, p)
		}
	}
}

// getCode begins an enrollment, or sends its code again.
func (b *browser) getCode(number string) (twinlatch.Challenge, error) {
	b.t.Helper()
	return b.BeginEnroll(ctx, b.passed(), text.Kind, map[string]string{"phone": number}, b.from)
}

// addNumber enrolls a number whose messages p takes.
func (b *browser) addNumber(p *postman, number string) twinlatch.Factor {
	b.t.Helper()
	ch, err := b.getCode(number)
	b.ok(err)
	f, token, err := b.FinishEnroll(ctx, b.passed(), ch.ID, code(p.pin()), b.from)
	b.ok(b.keep(token, err))
	return f
}

// texted is a person with a number only, and a browser that may change settings.
func (w *world) texted(p *postman, login, number string) *browser {
	w.t.Helper()
	b := w.person(login).signIn(home)
	b.addNumber(p, number)
	w.later(minute) // a number gets one message in half a minute
	return b
}

// sendTo asks the second step for a factor.
func (b *browser) sendTo(f twinlatch.FactorID) (twinlatch.Challenge, error) {
	b.t.Helper()
	return b.Ask(ctx, b.known(), f, b.from)
}

func (l letter) pin() string { return l.body[:6] }

func pins(all []letter) string {
	var text strings.Builder
	for _, l := range all {
		text.WriteString(l.pin() + " ")
	}
	return text.String()
}
