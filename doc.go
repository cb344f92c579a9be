// Package twinlatch is two-step verification for Go programs: a password or
// another first step, plus proof of something the person owns.
//
// # What it does
//
// A [Service] keeps accounts, their enrolled factors, their sessions and an
// audit trail in a [Store]. It answers one question at every request, whether
// this browser may pass now, and it runs the second step when the answer is no:
//
//	decision, token, err := svc.SignIn(ctx, realm, login, password, client) // first step
//	decision, err := svc.Check(ctx, token, client)                          // at every request
//	challenge, err := svc.Ask(ctx, known, "", client)                       // second step: the question
//	token, err := svc.Answer(ctx, known, answer, client)                    // second step: the answer
//
// Once a factor is enrolled every sign-in asks for it, and a live session is
// asked again after thirty days and whenever its IP address changes. Nothing
// skips the second step: there is no remembered browser.
//
// # Words
//
// An [Account] is someone we protect. A [Method] is a technique (authenticator
// app, text message, security key); a [Factor] is an enrolled instance of one. A
// [Challenge] is a question whose answer we wait for; half-enrolled factors do
// not exist, only challenges to enroll. A [Session] holds facts, never a
// verdict: whether it may pass is computed by [Policy.Decide] each time. Backup
// codes are for recovery only and are not a method. An [Event] is a line of the
// audit trail.
//
// # Who needs what
//
// A program that embeds the library needs [Config], [New], the methods of
// [Service] and what they take and return. [Method] with [Input], [OpenFactor],
// [Question], [NewFactor], [Proof] and [Field] is for authors of methods. [Store],
// [Tx] and [View] with all that is called Stored…, [SessionRow], [Limit] and
// [Throttle] are for authors of stores; [Keys], [Place] and [Sealed] for authors
// of key rings.
//
// # What it promises
//
// Single use (of codes, challenges and backup codes) is decided by one
// conditional statement in the database. A guess is counted in a transaction of
// its own before it is judged. Consuming a challenge, verifying the session and
// writing the event commit together or not at all. A handler behind the second
// step takes a [Passed], which only a passing check can make.
//
// # What it will not do
//
// It renders no page, sends no header and trusts none: doors do, in the
// packages pages and web. It reads the time and randomness only through
// [Config].
package twinlatch
