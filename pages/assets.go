package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strconv"

	"github.com/twinlatch/twinlatch"
)

//go:embed static/*
var static embed.FS

// assets are the files that pages load, and the icons that they contain. A
// file's address holds the hash of its content, so browsers may keep it for ever.
type assets struct {
	files map[string]asset
	icons map[string]template.HTML
}

type asset struct {
	hash, mediaType string
	plain, packed   []byte
}

var symbol = regexp.MustCompile(`(?s)<symbol id="(\w+)" viewBox="0 0 24 24">(.*?)</symbol>`)

// comments of the script stand on lines of their own. They are for who reads the
// source, and a seventh of what a browser would load.
var comments = regexp.MustCompile(`(?m)^[ \t]*//.*\n|(?s:/\*.*?\*/\n?)`)

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}, icons: map[string]template.HTML{}}
	for name, mediaType := range map[string]string{"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "logo.svg": "image/svg+xml"} {
		plain, err := static.ReadFile("static/" + name)
		if err != nil {
			return nil, err
		}
		plain = comments.ReplaceAll(plain, nil)
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		if _, err := z.Write(plain); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(plain)
		a.files[name] = asset{hex.EncodeToString(sum[:6]), mediaType, plain, packed.Bytes()}
	}
	sprite, err := static.ReadFile("static/icons.svg")
	if err != nil {
		return nil, err
	}
	for _, m := range symbol.FindAllSubmatch(sprite, -1) {
		a.icons[string(m[1])] = template.HTML(m[2])
	}
	return a, nil
}

// path is the address of a file.
func (a *assets) path(name string) (string, error) {
	f, ok := a.files[name]
	if !ok {
		return "", fmt.Errorf("no file %q", name)
	}
	return "/static/" + f.hash + "/" + name, nil
}

// icon is a picture inside the page: no request, and it takes the text's colour.
// Classes are optional.
func (a *assets) icon(name string, class ...string) (template.HTML, error) {
	drawing, ok := a.icons[name]
	if !ok {
		return "", fmt.Errorf("no icon %q", name)
	}
	attr := template.HTML("")
	for _, c := range class {
		attr += template.HTML(` class="`) + escaped(c) + `"`
	}
	return `<svg aria-hidden="true" viewBox="0 0 24 24"` + attr + ">" + drawing + "</svg>", nil
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) error {
	f, ok := a.files[r.PathValue("file")]
	if !ok || f.hash != r.PathValue("hash") {
		return twinlatch.ErrNotFound
	}
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := f.plain
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client has gone; nobody is left to tell
	return nil
}
