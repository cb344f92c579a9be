// Package webauthn is the security key: twinlatch.Method by Web Authentication
// Level 3 (W3C), for YubiKeys, other security keys, and passkeys of phones and
// computers as the second step.
//
// The ceremonies are those of §7.1 (registering) and §7.2 (authenticating), done
// by go-webauthn. Where the specification leaves the choice to us, or that library
// is laxer than it, this package decides:
//
//   - The origin must be one of those configured, character by character.
//   - A challenge is 32 random bytes, open for five minutes, and takes one answer.
//     The core binds it to the account, the session and the ceremony.
//   - A person must be present. Whether the key must also know who it is (PIN,
//     fingerprint) is Config.UserVerification.
//   - Cross-origin frames are refused.
//   - Public keys are ES256, EdDSA or RS256 of 2048 to 4096 bits.
//   - Any model is accepted unless Config.Models names some.
//   - The signature count goes to the core as Proof.Counter: it moves forward or
//     the answer is a replay. Keys without one say 0, always.
//   - Extensions are not used, and what clients say about them is not looked at.
package webauthn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/twinlatch/twinlatch"
)

// Kind is the kind of all factors of this package.
const Kind twinlatch.Kind = "webauthn"

const (
	responseField = "response"
	challengeSize = 32              // bytes; §13.4.3 wants 16
	openFor       = 5 * time.Minute // a challenge; also told to browsers
	maxResponse   = 32 << 10        // bytes
)

// Method is the security key as a twinlatch.Method. Make one with New.
type Method struct {
	library *webauthn.WebAuthn
	origins []string
	models  [][]byte
}

// Describe implements twinlatch.Method. The AMR is what is true of every key;
// proofs of those whose secret cannot leave them have a better one.
func (*Method) Describe() twinlatch.Description {
	return twinlatch.Description{
		Kind:        Kind,
		Name:        "key",
		Icon:        "key",
		Named:       true,
		Script:      true,
		Unguessable: true,
		AnswerFields: []twinlatch.Field{{
			Name:      responseField,
			Label:     "verify.key.submit",
			Type:      "hidden",
			MaxLength: maxResponse,
			Wrong:     "verify.key.retry",
			Replayed:  "err.key.copied",
		}},
		AMR: amr(true),
	}
}

// amr are the values of RFC 8176 for a key that was touched. Without attestation
// that a device is hardware, what says that its secret cannot be copied is
// believed; for others "pop" is all that is known.
func amr(copyable bool) []string {
	if copyable {
		return []string{"pop", "user"}
	}
	return []string{"hwk", "user"}
}

// question is the state of a ceremony.
type question struct {
	Challenge []byte   `json:"challenge"`
	Keys      [][]byte `json:"keys,omitempty"` // verify: credentials that may answer
}

func (m *Method) newQuestion(in twinlatch.Input) (question, error) {
	q := question{Challenge: make([]byte, challengeSize)}
	if _, err := io.ReadFull(in.Rand, q.Challenge); err != nil {
		return q, fmt.Errorf("webauthn: no randomness for a challenge: %w", err)
	}
	return q, nil
}

// ask makes the question that the core keeps.
func (q question) ask(text string, options any) (twinlatch.Question, error) {
	state, err := json.Marshal(q)
	if err != nil {
		return twinlatch.Question{}, err
	}
	forBrowser, err := json.Marshal(options)
	return twinlatch.Question{
		State:  state,
		Prompt: twinlatch.Prompt{Text: text, Options: forBrowser},
		Tries:  1,
		For:    openFor,
	}, err
}

func parseQuestion(state []byte) (question, error) {
	var q question
	if err := json.Unmarshal(state, &q); err != nil || len(q.Challenge) != challengeSize {
		return q, errors.New("webauthn: the state is not that of a question")
	}
	return q, nil
}

// ceremony is what the library must know of the question.
func (q question) ceremony(m *Method, in twinlatch.Input) webauthn.SessionData {
	return webauthn.SessionData{
		Challenge:            protocol.URLEncodedBase64(q.Challenge).String(),
		RelyingPartyID:       m.library.Config.RPID,
		UserID:               []byte(in.Account.ID),
		AllowedCredentialIDs: q.Keys,
		UserVerification:     m.library.Config.AuthenticatorSelection.UserVerification,
		CredParams:           parameters(),
	}
}

// parameters are the kinds of public keys that are accepted, best first: the
// first that a key can make it makes.
func parameters() []protocol.CredentialParameter {
	var all []protocol.CredentialParameter
	for _, alg := range [...]webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		all = append(all, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg})
	}
	return all
}

// BeginEnroll implements twinlatch.Method. Prompt.Options is the JSON of
// PublicKeyCredentialCreationOptions (§5.4). Its user handle is the account's ID,
// which is random and tells nobody anything; keys that are enrolled already are
// excluded.
func (m *Method) BeginEnroll(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	q, err := m.newQuestion(in)
	if err != nil {
		return twinlatch.Question{}, err
	}
	owner, err := ownerOf(in)
	if err != nil {
		return twinlatch.Question{}, err
	}
	creation, _, err := m.library.BeginRegistration(owner, func(o *protocol.PublicKeyCredentialCreationOptions) error {
		o.Challenge = q.Challenge
		o.Parameters = parameters()
		o.CredentialExcludeList = owner.descriptors()
		if len(m.models) > 0 {
			o.Attestation = protocol.PreferDirectAttestation
		}
		return nil
	})
	if err != nil {
		return twinlatch.Question{}, fmt.Errorf("webauthn: %w", err)
	}
	return q.ask("add.key.lead", creation.Response)
}

// BeginVerify implements twinlatch.Method. Prompt.Options is the JSON of
// PublicKeyCredentialRequestOptions (§5.5), which any of the candidates can
// answer.
func (m *Method) BeginVerify(_ context.Context, in twinlatch.Input) (twinlatch.Question, error) {
	q, err := m.newQuestion(in)
	if err != nil {
		return twinlatch.Question{}, err
	}
	owner, err := ownerOf(in)
	if err != nil {
		return twinlatch.Question{}, err
	}
	assertion, session, err := m.library.BeginLogin(owner, func(o *protocol.PublicKeyCredentialRequestOptions) error {
		o.Challenge = q.Challenge
		return nil
	})
	if err != nil {
		return twinlatch.Question{}, fmt.Errorf("webauthn: %w", err)
	}
	q.Keys = session.AllowedCredentialIDs
	return q.ask("verify.key.lead", assertion.Response)
}

// Parse implements twinlatch.Method. It keeps a response that is a JSON object of
// at most 32 KiB; what is in it costs a try to find out. Whether it is a
// registration or an authentication only Finish can tell.
func (*Method) Parse(a twinlatch.Answer) (twinlatch.Answer, error) {
	response := strings.TrimSpace(a[responseField])
	if len(response) > maxResponse || !strings.HasPrefix(response, "{") || !json.Valid([]byte(response)) {
		return nil, &twinlatch.FieldError{Field: responseField, Key: "verify.key.retry"}
	}
	return twinlatch.Answer{responseField: response}, nil
}

// FinishEnroll implements twinlatch.Method by §7.1. The digest is the credential
// ID, the Secret the credential record, and the counter the signature count.
func (m *Method) FinishEnroll(_ context.Context, in twinlatch.Input, state []byte, a twinlatch.Answer) (twinlatch.NewFactor, error) {
	q, err := parseQuestion(state)
	if err != nil {
		return twinlatch.NewFactor{}, err
	}
	owner, err := ownerOf(in)
	if err != nil {
		return twinlatch.NewFactor{}, err
	}
	essence, err := unambiguous([]byte(a[responseField]), "id", "rawId", "type", "response")
	if err != nil {
		return twinlatch.NewFactor{}, err
	}
	response, err := protocol.ParseCredentialCreationResponseBytes(essence)
	if err != nil {
		return twinlatch.NewFactor{}, wrong(err)
	}
	if _, err := unambiguous(response.Raw.AttestationResponse.ClientDataJSON, "type", "challenge", "origin"); err != nil {
		return twinlatch.NewFactor{}, err
	}
	if o := response.Response.AttestationObject; o.AttStatement == nil && o.SubStatements == nil {
		return twinlatch.NewFactor{}, wrong(errors.New("the attestation statement is missing"))
	}
	if err := m.sentFrom(response.Response.CollectedClientData); err != nil {
		return twinlatch.NewFactor{}, err
	}
	if err := checkCost(response.Response.AttestationObject); err != nil {
		return twinlatch.NewFactor{}, err
	}
	credential, err := m.library.CreateCredential(owner, q.ceremony(m, in), response)
	if err != nil {
		return twinlatch.NewFactor{}, wrong(err)
	}
	if err := m.checkModel(credential); err != nil {
		return twinlatch.NewFactor{}, err
	}
	if owner.has(credential.ID) {
		return twinlatch.NewFactor{}, &twinlatch.FieldError{Field: responseField, Key: "add.key.known"}
	}
	secret, err := recordOf(credential).secret()
	return twinlatch.NewFactor{
		Digest:  bytes.Clone(credential.ID),
		Secret:  secret,
		Counter: int64(credential.Authenticator.SignCount),
		AMR:     amr(credential.Flags.BackupEligible),
	}, err
}

// FinishVerify implements twinlatch.Method by §7.2. A credential that is none of
// the account's is told apart from all else that can be wrong: people have
// several keys, and take the wrong one.
func (m *Method) FinishVerify(_ context.Context, in twinlatch.Input, state []byte, a twinlatch.Answer) (twinlatch.Proof, error) {
	q, err := parseQuestion(state)
	if err != nil {
		return twinlatch.Proof{}, err
	}
	owner, err := ownerOf(in)
	if err != nil {
		return twinlatch.Proof{}, err
	}
	essence, err := unambiguous([]byte(a[responseField]), "id", "rawId", "type", "response")
	if err != nil {
		return twinlatch.Proof{}, err
	}
	response, err := protocol.ParseCredentialRequestResponseBytes(essence)
	if err != nil {
		return twinlatch.Proof{}, wrong(err)
	}
	if _, err := unambiguous(response.Raw.AssertionResponse.ClientDataJSON, "type", "challenge", "origin"); err != nil {
		return twinlatch.Proof{}, err
	}
	// Keys that were removed since the question cannot answer it, nor those that
	// were added.
	q.Keys = slices.DeleteFunc(q.Keys, func(id []byte) bool { return !owner.has(id) })
	if !slices.ContainsFunc(q.Keys, func(id []byte) bool { return bytes.Equal(id, response.RawID) }) {
		return twinlatch.Proof{}, &twinlatch.WrongCodeError{
			Cause: fmt.Errorf("webauthn: the credential is not on the account: %w", twinlatch.ErrWrongCode),
			Key:   "err.key.wrong",
		}
	}
	if err := m.sentFrom(response.Response.CollectedClientData); err != nil {
		return twinlatch.Proof{}, err
	}
	credential, err := m.library.ValidateLogin(owner, q.ceremony(m, in), response)
	if err != nil {
		return twinlatch.Proof{}, wrong(err)
	}
	proof := twinlatch.Proof{Factor: owner.factor(credential.ID), AMR: amr(credential.Flags.BackupEligible)}
	if count := int64(response.Response.AuthenticatorData.Counter); count > 0 {
		proof.Counter = &count
	}
	return proof, nil
}

// sentFrom compares the origin strictly: the library takes any path, user and
// spelling of it.
func (m *Method) sentFrom(c protocol.CollectedClientData) error {
	if !slices.Contains(m.origins, c.Origin) {
		return fmt.Errorf("webauthn: the browser was at %.200q, which is no configured origin: %w", c.Origin, twinlatch.ErrWrongCode)
	}
	return nil
}

// wrong says to operators what the library found; people are told to try again.
func wrong(err error) error {
	text := err.Error()
	var found *protocol.Error
	if errors.As(err, &found) && found.DevInfo != "" {
		text += ": " + found.DevInfo
	}
	return fmt.Errorf("webauthn: %.400s: %w", strings.ToValidUTF8(text, "?"), twinlatch.ErrWrongCode)
}
