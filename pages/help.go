package pages

import "net/http"

// help answers what people ask when they are stuck, without having to sign in.
func (p *Pages) help(w http.ResponseWriter, r *http.Request) error {
	return p.render(w, r, view{page: "help", title: p.say("help.title"), data: p.span(p.service.Policy().CodeEvery)})
}
