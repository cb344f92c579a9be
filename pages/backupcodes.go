package pages

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twinlatch/twinlatch"
)

type backupCodesPage struct {
	Codes    []string
	MadeAt   time.Time
	Download template.URL
	Done     string
	Login    string
}

// offerBackupCodes is what the address of the codes shows when it is opened
// again: they were shown once, and Security offers new ones.
func (p *Pages) offerBackupCodes(w http.ResponseWriter, r *http.Request, _ twinlatch.Passed) error {
	return p.redirect(w, r, security)
}

// newBackupCodes makes ten codes and shows them in the answer itself, once.
func (p *Pages) newBackupCodes(w http.ResponseWriter, r *http.Request, who twinlatch.Passed) error {
	codes, err := p.service.NewBackupCodes(r.Context(), who, p.client(r))
	if err != nil {
		return err
	}
	account := who.Account()
	data := backupCodesPage{MadeAt: p.service.Now(), Done: security, Login: account.Login}
	for _, code := range codes {
		data.Codes = append(data.Codes, code.Reveal())
	}
	file := p.say("codes.for", "account", account.Login) + "\n" + p.say("codes.made", "date", p.words.Date(data.MadeAt)) + "\n\n" +
		strings.Join(data.Codes, "\n") + "\n\n" + p.say("codes.lead") + "\n"
	// The file travels inside the page: no address exists that shows the codes.
	data.Download = template.URL("data:text/plain;charset=utf-8," + url.PathEscape(file))
	return p.render(w, r, view{
		page: "backupcodes", title: p.say("codes.title"), script: true, secret: true, who: &account, trail: p.say("method.backup"), data: data,
	})
}
