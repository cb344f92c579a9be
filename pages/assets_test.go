package pages

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	b := d.browser(t)
	for name, mediaType := range map[string]string{"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "logo.svg": "image/svg+xml"} {
		path := d.files.mustPath(name)
		p := b.get(path).is(200)
		source, err := static.ReadFile("static/" + name)
		want := uncommented(string(source))
		if err != nil || p.body != want || p.header.Get("Content-Type") != mediaType || len(p.cookies) > 0 {
			t.Errorf("%s: %d bytes of %q, %v", name, len(p.body), p.header.Get("Content-Type"), err)
		}
		b.header.Set("Accept-Encoding", "gzip")
		if p := b.get(path).is(200); p.body != want || p.header.Get("Content-Encoding") != "gzip" || p.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s compressed: %d bytes, %q", name, len(p.body), p.header)
		}
		b.header.Del("Accept-Encoding")
		b.get(strings.Replace(path, "/static/", "/static/x", 1)).is(404) // an older one is not the one that was asked for
	}
	if _, err := d.files.path("no.css"); err == nil {
		t.Error("a file that is not there has an address")
	}
	if _, err := d.files.icon("none"); err == nil {
		t.Error("an icon that is not there is drawn")
	}
}

// uncommented is a source as it is served.
func uncommented(source string) string {
	var text strings.Builder
	for line := range strings.Lines(source) {
		if !strings.HasPrefix(strings.TrimSpace(line), "//") {
			text.WriteString(line)
		}
	}
	for source = text.String(); ; {
		before, rest, found := strings.Cut(source, "/*")
		if !found {
			return source
		}
		_, after, _ := strings.Cut(rest, "*/")
		source = before + strings.TrimPrefix(after, "\n")
	}
}

// The script is small.
func TestScriptIsSmall(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	b := d.browser(t)
	b.header.Set("Accept-Encoding", "gzip")
	if n, err := strconv.Atoi(b.get(d.files.mustPath("app.js")).is(200).header.Get("Content-Length")); err != nil || n >= 2000 {
		t.Errorf("the script weighs %d bytes, %v", n, err)
	}
}

// The style sheet knows where lines begin and end, and neither left nor right, so
// that it holds for both directions of writing.
func TestStylesAreLogical(t *testing.T) {
	css, err := static.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`[\w-]*\b(left|right)\b[^;}]*`).FindAll(css, -1); found != nil {
		t.Errorf("%q", found)
	}
	sides := regexp.MustCompile(`(margin|padding|inset|border-width): ([^\s;]+) ([^\s;]+) ([^\s;]+) ([^\s;}]+)`)
	for _, m := range sides.FindAllSubmatch(css, -1) {
		if string(m[3]) != string(m[5]) {
			t.Errorf("%q: its sides differ", m[0])
		}
	}
	if sides.FindString("padding: 1px 2px 3px 4px;") == "" {
		t.Error("the pattern finds nothing")
	}
}

// A QR code is readable as it is: dark on light, four modules of margin, and
// the three corners that a reader looks for.
func TestQRCode(t *testing.T) {
	t.Parallel()
	file, err := qrCode("otpauth://totp/Twinlatch:ana%40example.com?secret=GEZDGNBVGY3TQOJQ&issuer=Twinlatch")
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	size := picture.Bounds().Dx()
	if picture.Bounds().Dy() != size || size < 21+8 || (size-8-21)%4 != 0 {
		t.Fatalf("the picture is %v", picture.Bounds())
	}
	for i := range size {
		for _, edge := range []int{0, 1, 2, 3, size - 4, size - 3, size - 2, size - 1} {
			if dark(picture, i, edge) || dark(picture, edge, i) {
				t.Fatal("the margin is not empty")
			}
		}
	}
	for _, corner := range []image.Point{{4, 4}, {size - 11, 4}, {4, size - 11}} {
		for i := range 7 { // 7 dark modules around 5 light ones around 3 dark ones
			if !dark(picture, corner.X+i, corner.Y) || !dark(picture, corner.X, corner.Y+i) || dark(picture, corner.X+i, corner.Y+1) != (i == 0 || i == 6) {
				t.Fatalf("no corner at %v", corner)
			}
		}
	}
	if _, err := qrCode(strings.Repeat("long", 2000)); err == nil {
		t.Error("a text that is too long is drawn")
	}
}

func dark(picture image.Image, x, y int) bool {
	r, g, b, _ := picture.At(x, y).RGBA()
	return r+g+b == 0
}

func TestNewRequiresItsParts(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for name, cfg := range map[string]Config{
		"no service": {Address: d.cfg.Address}, "no address": {Service: d.service},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	p, err := New(Config{Service: d.service, Address: d.cfg.Address})
	if err != nil {
		t.Fatal(err)
	}
	var _ http.Handler = p
}
