package forwardauth

import (
	"bytes"
	"errors"
	"html/template"
)

// refusal is the page for a person at an app who cannot be led on. It is shown at the
// app's address, so it loads nothing of ours.
var refusal = template.Must(template.New("").Parse(`<!doctype html>
<html lang="{{.Lang}}" dir="{{.Dir}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;margin:0}main{max-width:30rem;margin:15vh auto 0;padding:0 1.25rem}h1{font-size:1.5rem;line-height:1.25}</style>
</head>
<body><main><h1>{{.Title}}</h1><p role="alert">{{.Text}}</p>{{with .Again}}<p><a href="{{.}}">{{$.Open}}</a></p>{{end}}</main></body>
</html>
`))

// page is a problem for a person, in the language of the browser.
func (d *Door) page(q *question, p problem) ([]byte, error) {
	words := d.words.For(q.r.Header.Get("Accept-Language"))
	text := struct {
		Lang, Dir, Title, Text, Open string
		Again                        string
	}{Lang: words.Tag, Dir: words.Dir}
	app := map[string]string{"app": q.host}
	var errs [3]error
	text.Title, errs[0] = words.Say("refused.title", nil)
	text.Text, errs[1] = words.Say(p.say, app)
	text.Open, errs[2] = words.Say("refused.again", app)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if p.again {
		text.Again = q.found.Origin + "/"
	}
	var page bytes.Buffer
	err := refusal.Execute(&page, text)
	return page.Bytes(), err
}
