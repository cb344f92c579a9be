// Package securitykey is a security key and the browser in front of it, in
// software: it answers the WebAuthn options of a page as both would, and can be
// told to lie in every field.
//
//	key := securitykey.New(rand.Reader)
//	response, err := key.Register("https://id.example.com", creationOptions)
//	response, err = key.Sign("https://id.example.com", requestOptions)
//
// Options are the JSON that parseCreationOptionsFromJSON and
// parseRequestOptionsFromJSON take, a response is that of
// PublicKeyCredential.toJSON. An attacker does not obey: to ignore a list in the
// options, change the options; to say what is not so, pass a Lie.
//
// It is for tests only. It promises stability from 1.0 on.
package securitykey
