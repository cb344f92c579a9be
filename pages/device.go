package pages

import "github.com/twinlatch/twinlatch/web"

// deviceIcon is the picture of a device.
func deviceIcon(userAgent string) string {
	if web.DeviceOf(userAgent).Phone() {
		return "phone"
	}
	return "desk"
}

// deviceName is "Firefox, Linux".
func (p *Pages) deviceName(userAgent string) string {
	d := web.DeviceOf(userAgent)
	switch {
	case d.Browser != "" && d.System != "":
		return p.words.List([]string{d.Browser, d.System})
	case d.Browser != "" || d.System != "":
		return d.Browser + d.System
	}
	return p.say("sec.dev.unknown")
}
