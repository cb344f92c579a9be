package securitykey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"fmt"
	"io"
	"math/big"
)

// Algorithm is a number of the COSE registry.
type Algorithm int

// They are named as in the registry.
const (
	ES256 Algorithm = -7
	EdDSA Algorithm = -8
	ES384 Algorithm = -35
	ES512 Algorithm = -36
	RS256 Algorithm = -257
)

// COSE is a public key as a map of COSE_Key.
type COSE map[int]any

// newKey draws a key. ECDSA keys are made of the drawn bytes, because
// ecdsa.GenerateKey would ignore random.
func (a Algorithm) newKey(random io.Reader) (crypto.Signer, error) {
	switch a {
	case ES256, ES384, ES512:
		curve := map[Algorithm]elliptic.Curve{ES256: elliptic.P256(), ES384: elliptic.P384(), ES512: elliptic.P521()}[a]
		size := (curve.Params().BitSize + 7) / 8
		for scalar := make([]byte, size); ; {
			if _, err := io.ReadFull(random, scalar); err != nil {
				return nil, err
			}
			scalar[0] &= 0xff >> (8*size - curve.Params().BitSize)
			if key, err := ecdsa.ParseRawPrivateKey(curve, scalar); err == nil {
				return key, nil
			}
		}
	case EdDSA:
		seed := make([]byte, ed25519.SeedSize)
		_, err := io.ReadFull(random, seed)
		return ed25519.NewKeyFromSeed(seed), err
	case RS256:
		return rsa.GenerateKey(random, 2048)
	}
	return nil, fmt.Errorf("%w: %d", ErrNotSupported, a)
}

// cose is a public key of the algorithm.
func (a Algorithm) cose(public crypto.PublicKey) COSE {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, x and y
		if err != nil {
			panic(err) // it is one of newKey's
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		return COSE{1: 2, 3: int(a), -1: map[Algorithm]int{ES256: 1, ES384: 2, ES512: 3}[a], -2: x, -3: y}
	case ed25519.PublicKey:
		return COSE{1: 1, 3: int(a), -1: 6, -2: []byte(key)}
	case *rsa.PublicKey:
		return COSE{1: 3, 3: int(a), -1: key.N.Bytes(), -2: big.NewInt(int64(key.E)).Bytes()}
	}
	panic(fmt.Sprintf("no key of newKey's: %T", public))
}

// sign does as the key's algorithm says. Signatures need no randomness: ECDSA is
// that of RFC 6979.
func sign(key crypto.Signer, data []byte) ([]byte, error) {
	hash := crypto.SHA256
	switch public := key.Public().(type) {
	case ed25519.PublicKey:
		return key.Sign(nil, data, crypto.Hash(0))
	case *ecdsa.PublicKey:
		hash = map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 521: crypto.SHA512}[public.Params().BitSize]
	}
	h := hash.New()
	h.Write(data)
	return key.Sign(nil, h.Sum(nil), hash)
}
