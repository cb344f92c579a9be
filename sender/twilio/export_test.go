package twilio

// Sign is for the fake, which signs as Twilio does; TestSignature holds it to
// values that Twilio published.
var Sign = sign
