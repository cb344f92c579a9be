package vonage

// Sign is for the fake, which signs as Vonage does; TestSignature holds it to
// values that Vonage published.
var Sign = sign
