package pages

import (
	"net/http"

	"github.com/twinlatch/twinlatch"
	"github.com/twinlatch/twinlatch/web"
)

const security = "/settings/user/security"

// route is one line of the table of routes. Exactly one of open, known, enrolling
// and passed is set: it says how far somebody must have come.
type route struct {
	method, path string
	open         func(http.ResponseWriter, *http.Request) error                      // anybody
	known        func(http.ResponseWriter, *http.Request, twinlatch.Known) error     // after the first step
	enrolling    func(http.ResponseWriter, *http.Request, twinlatch.Enrolling) error // after both, or who has to enroll a factor first
	passed       func(http.ResponseWriter, *http.Request, twinlatch.Passed) error    // after both
	formless     bool                                                                // the change has no page of its own; one goes on from Security
	returns      bool                                                                // the page of the change knows where one goes on from it
	wordless     bool                                                                // the answer is the same in every language
	from         string                                                              // the answer is no page: one comes back to the page that has the link
}

func open(method, path string, h func(http.ResponseWriter, *http.Request) error) route {
	return route{method: method, path: path, open: h}
}

func known(method, path string, h func(http.ResponseWriter, *http.Request, twinlatch.Known) error) route {
	return route{method: method, path: path, known: h}
}

func enrolling(method, path string, h func(http.ResponseWriter, *http.Request, twinlatch.Enrolling) error) route {
	return route{method: method, path: path, enrolling: h}
}

func passed(method, path string, h func(http.ResponseWriter, *http.Request, twinlatch.Passed) error) route {
	return route{method: method, path: path, passed: h}
}

// button is a change that is one button on the Security page.
func button(path string, h func(http.ResponseWriter, *http.Request, twinlatch.Passed) error) route {
	return route{method: "POST", path: path, passed: h, formless: true}
}

func file(path string, h func(http.ResponseWriter, *http.Request) error) route {
	return route{method: "GET", path: path, open: h, wordless: true}
}

// routes is every address of the door.
func (p *Pages) routes() []route {
	routes := []route{
		open("GET", "/{$}", p.home),
		open("GET", "/help", p.help),
		file("/static/{hash}/{file}", p.files.serve),
		open("GET", "/sign-in", p.signInForm),
		open("POST", "/sign-in", p.signIn),
		open("POST", "/sign-out", p.signOut),
		{method: "POST", path: "/language", open: p.chooseLanguage, formless: true},

		known("GET", "/verify", p.verifyForm),
		known("POST", "/verify", p.verify),
		known("POST", "/verify/ask", p.ask),
		known("GET", "/verify/ways", p.ways),
		known("GET", "/verify/pick/{kind}", p.pick),
		known("GET", "/recover", p.recoverForm),
		known("POST", "/recover", p.recover),

		enrolling("GET", requiredPath, p.required),
		enrolling("GET", "/confirm", p.confirmPasswordForm),
		enrolling("POST", "/confirm", p.confirmPassword),
		passed("GET", security, p.security),
		passed("GET", lostPath, p.lost),
		enrolling("GET", security+"/add/{kind}", p.addForm),
		{method: "POST", path: security + "/add/{kind}", enrolling: p.add, returns: true},
		enrolling("GET", security+"/confirm/{challenge}", p.enrollForm),
		{method: "POST", path: security + "/confirm/{challenge}", enrolling: p.enroll, returns: true},
		passed("GET", security+"/factors/{factor}/remove", p.removeForm),
		{method: "POST", path: security + "/factors/{factor}/remove", passed: p.remove, returns: true},
		button(security+"/factors/{factor}/rename", p.rename),
		button(security+"/factors/{factor}/prefer", p.prefer),
		passed("GET", profilePath, p.profile),
		passed("POST", profilePath, p.changeProfile),
		passed("GET", passwordPath, p.passwordForm),
		passed("POST", passwordPath, p.changePassword),
		passed("GET", activityPath, p.activity),
		{method: "GET", path: downloadPath, passed: p.download, from: activityPath},
		passed("GET", security+"/turn-off", p.turnOffForm),
		passed("POST", security+"/turn-off", p.turnOff),
		passed("GET", security+"/backup-codes", p.offerBackupCodes),
		button(security+"/backup-codes", p.newBackupCodes),
		button(security+"/sessions/{session}/end", p.endSession),
		button(security+"/sessions/end-others", p.endOthers),
	}
	if !p.cfg.Closed {
		routes = append(routes, open("GET", "/sign-up", p.signUpForm), open("POST", "/sign-up", p.signUp))
	}
	routes = append(routes, p.adminRoutes()...)
	if !p.cfg.Apps.Empty() {
		routes = append(routes, open("GET", web.HandOverPath, p.handOver))
	}
	if p.service.Mails() {
		routes = append(routes, p.mailRoutes()...)
	}
	if p.cfg.Dev != nil {
		routes = append(routes, p.devRoutes()...)
	}
	return routes
}
