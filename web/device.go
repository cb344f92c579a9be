package web

import "strings"

// Device is what a person recognises in a User-Agent; both are empty where it says
// nothing that we know.
type Device struct {
	Browser, System string // "Firefox", "Linux"
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

// DeviceOf reads a User-Agent. It decides nothing: browsers pretend.
func DeviceOf(userAgent string) Device {
	return Device{Browser: firstIn(userAgent, browsers[:]), System: firstIn(userAgent, systems[:])}
}

// Phone reports whether it is one that is held.
func (d Device) Phone() bool {
	return d.System == "iPhone" || d.System == "iPad" || d.System == "Android"
}

func firstIn(text string, table [][2]string) string {
	for _, row := range table {
		if strings.Contains(text, row[0]) {
			return row[1]
		}
	}
	return ""
}
