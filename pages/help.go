package pages

import "net/http"

type helpPage struct {
	Period string // how often a code is asked
	Mails  bool   // owners are told by mail what happens to their account
}

// help answers what people ask when they are stuck, without having to sign in.
func (p *Pages) help(w http.ResponseWriter, r *http.Request) error {
	data := helpPage{Period: p.span(p.service.Policy().CodeEvery), Mails: p.service.Mails()}
	return p.render(w, r, view{page: "help", title: p.say("help.title"), data: data})
}
