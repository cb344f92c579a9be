package yubico

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/twinlatch/twinlatch/twinlatchtest"
)

const (
	private = "ca62baca62ba"
	aesKey  = "ecde18dbe76fbd0c33330f1c354871db"
	device  = "dlcfffckrcde," + private + "," + aesKey
)

func TestReadDevices(t *testing.T) {
	for name, text := range map[string]string{
		"ykman":                     "4711," + device + ",,2026-03-04T05:06:07,\n",
		"ykman with an access code": "4711," + device + ",be70aeca62ba,2026-03-04T05:06:07,\n",
		"key storage module":        "# ykksm 1\r\n4711," + device + ",be70aeca62ba,2009-01-22 00:25:11,2009-02-13 00:05:40,0 # comment, with a comma\r\n# end\r\n",
		"no newline at the end":     "4711," + device + ",,2026-03-04T05:06:07,",
		"capitals in hexadecimal":   "4711,dlcfffckrcde," + strings.ToUpper(private+","+aesKey) + ",,,",
		"only what is needed":       "\n\n  ," + device + "  \n\n",
	} {
		all, err := ReadDevices(strings.NewReader(text))
		if err != nil || len(all) != 1 || all[0].Identity != "dlcfffckrcde" ||
			hex.EncodeToString([]byte(all[0].Private.Reveal())) != private || hex.EncodeToString([]byte(all[0].Key.Reveal())) != aesKey {
			t.Errorf("%s: %v, %v", name, all, err)
		}
	}
	k, other := twinlatchtest.NewYubiKey(), twinlatchtest.NewYubiKey()
	all, err := ReadDevices(strings.NewReader(k.Line() + other.Line()))
	if err != nil || len(all) != 2 || all[0].Identity != k.Identity || all[1].Key.Reveal() != string(other.Key[:]) {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := ReadDevices(strings.NewReader("")); err != nil || all != nil {
		t.Errorf("of nothing: %v, %v", all, err)
	}
}

// badLines are refused as the second of two lines.
var badLines = map[string]string{
	"another file":                  "hello",
	"JSON":                          `{"serial": 1}`,
	"too few fields":                "1,dlcfffckrcde," + private,
	"too many fields":               "1," + device + ",,,,,",
	"semicolons":                    "1;" + strings.ReplaceAll(device, ",", ";"),
	"tabs":                          "1\t" + strings.ReplaceAll(device, ",", "\t"),
	"quotes":                        `"1",` + device,
	"a header":                      "serial,public,private,key,access,created",
	"the traditional log format":    "Yubico OTP,3/4/26 5:06 AM,1,dlcfffckrcde," + private + "," + aesKey + ",,,0,0,0",
	"a serial that is no number":    "x1," + device,
	"a negative serial":             "-1," + device,
	"a long serial":                 strings.Repeat("1", 21) + "," + device,
	"no public identity":            "1,," + private + "," + aesKey,
	"a short public identity":       "1,dlcfffckrcd," + private + "," + aesKey,
	"a long public identity":        "1,dlcfffckrcdedlcf," + private + "," + aesKey,
	"a public identity in hex":      "1,2a04449c0d23," + private + "," + aesKey,
	"a public identity in capitals": "1,DLCFFFCKRCDE," + private + "," + aesKey,
	"no private identity":           "1,dlcfffckrcde,," + aesKey,
	"a short private identity":      "1,dlcfffckrcde," + private[2:] + "," + aesKey,
	"half a byte":                   "1,dlcfffckrcde," + private[1:] + "," + aesKey,
	"a private identity in modhex":  "1,dlcfffckrcde,rlhdnlrlhdnl," + aesKey,
	"no key":                        "1,dlcfffckrcde," + private + ",",
	"a short key":                   "1,dlcfffckrcde," + private + "," + aesKey[2:],
	"a key of 256 bits":             "1,dlcfffckrcde," + private + "," + aesKey + aesKey,
	"a key in base64":               "1,dlcfffckrcde," + private + ",7N4Y2+dvvQwzMw8cNUhx2w==",
	"columns in another order":      "1,dlcfffckrcde," + aesKey + "," + private,
	"a space before the key":        "1,dlcfffckrcde," + private + ", " + aesKey,
	"text as access code":           "1," + device + ",secret",
	"a byte 0":                      "1," + device + ",\x00",
	"a long line":                   "1," + device + strings.Repeat(" ", 1<<10),
	"the same identity again":       "2,dlcfffckrcdf," + private + "," + aesKey,
}

func TestReadDevicesRefuses(t *testing.T) {
	for name, line := range badLines {
		all, err := ReadDevices(strings.NewReader("1,dlcfffckrcdf," + private + "," + aesKey + "\n" + line + "\n"))
		if err == nil || len(all) > 0 || !strings.HasPrefix(err.Error(), "yubico: line 2: ") {
			t.Errorf("%s: %v, %v", name, all, err)
			continue
		}
		for _, secret := range []string{private[2:], aesKey[2:], "7N4Y2", "rlhdnl"} {
			if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(secret)) {
				t.Errorf("%s: shows a secret: %v", name, err)
			}
		}
	}
	t.Logf("%d cases", len(badLines))
}

func TestReadDevicesBelievesNoHalfFile(t *testing.T) {
	lost := errors.New("the cable is out")
	text := twinlatchtest.NewYubiKey().Line() + twinlatchtest.NewYubiKey().Line()
	all, err := ReadDevices(io.MultiReader(strings.NewReader(text), iotest.ErrReader(lost)))
	if !errors.Is(err, lost) || all != nil {
		t.Errorf("%d devices, %v", len(all), err)
	}
}

func FuzzReadDevices(f *testing.F) {
	f.Add("# ykksm 1\n4711," + device + ",be70aeca62ba,2009-01-22 00:25:11,\n")
	for _, line := range badLines {
		f.Add("1," + device + "\n" + line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ReadDevices(strings.NewReader(text))
		if err != nil {
			if all != nil || !strings.HasPrefix(err.Error(), "yubico: line ") || strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 200 {
				t.Errorf("%d devices, %v", len(all), err)
			}
			return
		}
		seen := map[string]bool{}
		for _, d := range all {
			if !IsIdentity(d.Identity) || seen[d.Identity] || len(d.Private.Reveal()) != privateSize || len(d.Key.Reveal()) != keySize {
				t.Errorf("device %q", d.Identity)
			}
			seen[d.Identity] = true
			if !strings.Contains(text, d.Identity) {
				t.Errorf("%q is not in the text", d.Identity)
			}
		}
	})
}
