package pages

import (
	"net/http"
	"slices"
	"sync"
	"testing"
)

// together sends copies of a post at the same time, each with the cookie that
// the person has now, and gives all answers.
func (p *person) together(n int, path string, fields ...string) []*page {
	p.t.Helper()
	token := p.token()
	answers := make([]*page, n)
	var ready, all sync.WaitGroup
	ready.Add(n)
	for i := range n {
		all.Go(func() {
			b := p.withToken(token)
			ready.Done()
			ready.Wait()
			answers[i] = b.post(path, fields...)
		})
	}
	all.Wait()
	return answers
}

// winners are the answers with a token that passes. All others have none.
func (p *person) winners(answers []*page) (tokens []string) {
	p.t.Helper()
	for _, a := range answers {
		if !slices.Contains([]int{http.StatusSeeOther, http.StatusUnprocessableEntity, http.StatusTooManyRequests}, a.status) {
			p.t.Errorf("%s: status %d: %s", a.request, a.status, a.text("main"))
		}
		for _, c := range a.cookies {
			if p.withToken(c.Value).get(security).status != http.StatusOK {
				p.t.Errorf("a token that does not pass")
			}
			tokens = append(tokens, c.Value)
		}
	}
	return tokens
}

// Nobody has opened the page before: the answers also race to ask the question.
func TestTwoHundredRightCodesInParallel(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t).elsewhere()
	ana.signIn().goes("/verify")
	if n := len(ana.winners(ana.together(200, "/verify", "code", ana.code()))); n != 1 {
		t.Errorf("%d sessions of one code", n)
	}
}

// Of several half-signed-in browsers as well, one gets in.
func TestOneCodeInManySessionsInParallel(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.anaWithApp(t)
	browsers := make([]*person, 20)
	for i := range browsers {
		browsers[i] = ana.elsewhere()
		browsers[i].signIn().goes("/verify")
	}
	code := ana.code()
	answers := make([]*page, len(browsers))
	var all sync.WaitGroup
	for i, b := range browsers {
		all.Go(func() { answers[i] = b.post("/verify", "code", code) })
	}
	all.Wait()
	if n := len(ana.winners(answers)); n != 1 {
		t.Errorf("%d sessions of one code", n)
	}
}

func TestTwoHundredBackupCodesInParallel(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t)
	codes := ana.backupCodes()
	other := ana.elsewhere()
	other.signIn().goes("/verify")
	if n := len(other.winners(other.together(200, "/recover", "code", codes[0]))); n != 1 {
		t.Errorf("%d sessions of one backup code", n)
	}
	ana.get(security).says("9 of 10 left")
}

// Two wrong presses must not both count as the fifth.
func TestWrongCodesInParallelAreCounted(t *testing.T) {
	t.Parallel()
	ana := newDoor(t).anaWithApp(t).elsewhere()
	ana.signIn().goes("/verify")
	judged := 0
	for _, a := range ana.together(60, "/verify", "code", ana.wrongCode()) {
		if box := a.byID("code-err"); box != nil && textOf(box) != "That was too many tries for this code. Use a new code." {
			judged++
		}
	}
	if judged > 5 {
		t.Errorf("%d wrong codes were judged", judged)
	}
	ana.post("/verify", "code", ana.app.Code(ana.now())).is(429)
}

// A double click signs in: whichever answer comes last, the browser has the
// winner's cookie and ends where it wanted to go.
func TestDoubleSubmit(t *testing.T) {
	t.Parallel()
	const wish = "?return_to=%2Fsettings%2Fuser%2Fsecurity%2Fturn-off"
	ana := newDoor(t).anaWithApp(t)
	codes := ana.backupCodes()
	for i := range 5 {
		for path, code := range map[string]string{"/verify": ana.code(), "/recover": codes[i]} {
			other := ana.elsewhere()
			other.signIn().goes("/verify")
			answers := other.together(2, path+wish, "code", code)
			for _, a := range answers {
				other.jar.SetCookies(other.base(), a.cookies)
			}
			for _, a := range answers {
				other.follow(a.is(303)).is(200).titled("Turn off 2-step verification?")
			}
		}
	}
}

func TestDoubleSubmitOfTheRest(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	ana := d.ana(t)
	for _, a := range ana.elsewhere().together(2, "/sign-in", "email", ana.email, "password", ana.password) {
		a.goes(security)
	}
	for _, a := range ana.together(2, security+"/add/totp") {
		a.is(303)
	}
	for _, a := range ana.together(2, "/sign-up", "name", "Bo", "email", "bo@example.com", "password", anaPassword) {
		a.goes("/sign-in")
	}
	ana.app = ana.enroll()
	for _, a := range ana.together(2, security+"/turn-off") {
		a.goes(security)
	}
}
