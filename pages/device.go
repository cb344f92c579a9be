package pages

import "strings"

// device is what a person recognises in a User-Agent.
type device struct {
	browser, system string
	icon            string // "desk" or "phone"
}

// The first that matches counts: browsers pretend to be those after them.
var (
	browsers = [...][2]string{
		{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"},
		{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Chromium/", "Chromium"},
		{"Safari/", "Safari"}, {"curl/", "curl"},
	}
	systems = [...][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Macintosh", "macOS"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
	}
)

func deviceOf(userAgent string) device {
	d := device{browser: firstIn(userAgent, browsers[:]), system: firstIn(userAgent, systems[:]), icon: "desk"}
	switch d.system {
	case "iPhone", "iPad", "Android":
		d.icon = "phone"
	}
	return d
}

func firstIn(text string, table [][2]string) string {
	for _, row := range table {
		if strings.Contains(text, row[0]) {
			return row[1]
		}
	}
	return ""
}

// deviceName is "Firefox, Linux".
func (p *Pages) deviceName(userAgent string) string {
	d := deviceOf(userAgent)
	switch {
	case d.browser != "" && d.system != "":
		return p.words.List([]string{d.browser, d.system})
	case d.browser != "" || d.system != "":
		return d.browser + d.system
	}
	return p.say("sec.dev.unknown")
}
