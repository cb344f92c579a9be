package config_test

import (
	"strings"
	"testing"

	"github.com/twinlatch/twinlatch/config"
)

func textField(c *config.Config, key string) any {
	switch t := c.Text; key {
	case "text.senders":
		return t.Senders
	case "text.name":
		return t.Name
	case "text.region":
		return t.Region
	case "text.countries":
		return t.Countries
	case "text.per_hour":
		return t.PerHour
	case "text.country_per_hour":
		return t.CountryPerHour
	case "text.network_per_hour":
		return t.NetworkPerHour
	case "text.budget":
		return t.Budget
	case "text.price":
		return []int{t.Price, t.PriceOf("GB"), t.PriceOf("US"), t.PriceOf("FR")}
	default:
		return t.Settings[strings.TrimPrefix(key, "text.")].Reveal()
	}
}

var textExamples = map[string]example{
	"text.senders":           {"twilio, smpp", `["twilio", "smpp"]`, []string{"twilio", "smpp"}},
	"text.name":              {"Acme", `"Acme"`, "Acme"},
	"text.region":            {"GB", `"GB"`, "GB"},
	"text.countries":         {"GB,IE", `["GB", "IE"]`, []string{"GB", "IE"}},
	"text.per_hour":          {"50", "50", 50},
	"text.country_per_hour":  {"40", "40", 40},
	"text.network_per_hour":  {"20", "20", 20},
	"text.budget":            {"12.5", `"12.5"`, 125_000},
	"text.price":             {"0.05,GB=0.04,US=0.0079", `["0.05", "GB=0.04", "US=0.0079"]`, []int{500, 400, 79, 500}},
	"text.twilio.account":    {"AC0123", `"AC0123"`, "AC0123"},
	"text.twilio.token":      {"t0ken", `"t0ken"`, "t0ken"},
	"text.twilio.from":       {"+15005550006", `"+15005550006"`, "+15005550006"},
	"text.twilio.url":        {"https://twilio.example", `"https://twilio.example"`, "https://twilio.example"},
	"text.vonage.key":        {"abcd1234", `"abcd1234"`, "abcd1234"},
	"text.vonage.secret":     {"s3cret", `"s3cret"`, "s3cret"},
	"text.vonage.signature":  {"sig", `"sig"`, "sig"},
	"text.vonage.from":       {"Acme", `"Acme"`, "Acme"},
	"text.vonage.url":        {"https://vonage.example", `"https://vonage.example"`, "https://vonage.example"},
	"text.sns.region":        {"eu-west-1", `"eu-west-1"`, "eu-west-1"},
	"text.sns.access_key":    {"AKIDEXAMPLE", `"AKIDEXAMPLE"`, "AKIDEXAMPLE"},
	"text.sns.secret_key":    {"key", `"key"`, "key"},
	"text.sns.session_token": {"token", `"token"`, "token"},
	"text.sns.sender_id":     {"Acme", `"Acme"`, "Acme"},
	"text.sns.max_price":     {"0.50", `"0.50"`, "0.50"},
	"text.sns.url":           {"https://sns.example", `"https://sns.example"`, "https://sns.example"},
	"text.smpp.address":      {"smsc.example:2775", `"smsc.example:2775"`, "smsc.example:2775"},
	"text.smpp.tls":          {"yes", `"yes"`, "yes"},
	"text.smpp.system_id":    {"acme", `"acme"`, "acme"},
	"text.smpp.password":     {"pass", `"pass"`, "pass"},
	"text.smpp.system_type":  {"VMA", `"VMA"`, "VMA"},
	"text.smpp.source":       {"Acme", `"Acme"`, "Acme"},
	"text.smpp.receipts":     {"no", `"no"`, "no"},
	"text.smpp.receipt_ids":  {"hex", `"hex"`, "hex"},
	"text.webhook.url":       {"https://gateway.example/sms", `"https://gateway.example/sms"`, "https://gateway.example/sms"},
	"text.webhook.secret":    {"whsec_a,whsec_b", `["whsec_a", "whsec_b"]`, "whsec_a,whsec_b"},
}

func TestTextDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	c := load(t, config.Source{Dev: true}).Text
	if c.Senders != nil || c.Name != "Twinlatch" || c.PerHour != 1000 || c.CountryPerHour != 300 || c.NetworkPerHour != 30 ||
		c.Budget != 0 || c.PriceOf("GB") != 10_000 {
		t.Errorf("%+v", c)
	}
}

func TestBadTextSettings(t *testing.T) {
	for line, want := range map[string]string{
		"senders = 'pigeon'":           `there is no sender "pigeon"; there are twilio, vonage, sns, smpp and webhook`,
		"senders = 'twilio, twilio'":   "twilio is there twice",
		"region = 'gb'":                "want two capital letters, for instance GB",
		"countries = ['GB', 'France']": "want two capital letters for each country, for instance GB,IE",
		"per_hour = 0":                 "want a number from 1",
		"country_per_hour = 'many'":    "want a number from 1",
		"network_per_hour = -1":        "want a number from 1",
		"budget = '0'":                 "want more than 0; without text.senders nothing is sent",
		"budget = '1e3'":               `"1e3" is no amount; write 12 or 0.0079`,
		"budget = '-1'":                `"-1" is no amount; write 12 or 0.0079`,
		"budget = '0.00001'":           `"0.00001" is no amount; write 12 or 0.0079`,
		"budget = '99999999999'":       `"99999999999" is no amount; write 12 or 0.0079`,
		"price = '.5'":                 `".5" is no amount; write 12 or 0.0079`,
		"price = '٣'":                  `"٣" is no amount; write 12 or 0.0079`,
		"smpp.tls = 'true'":            "want yes or no",
		"price = ['0.05', 'gb=1']":     "want prices as 0.05,GB=0.04",
	} {
		_, err := config.Load(config.Source{File: file(t, "[text]\n"+line), Dev: true})
		if err == nil || !strings.HasSuffix(err.Error(), want) || !strings.Contains(err.Error(), "setting text.") {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestTheOutboxIsForDevelopment(t *testing.T) {
	env := []string{"TWINLATCH_TEXT_SENDERS=outbox", "TWINLATCH_ADDRESS=https://id.example.com"}
	if _, err := config.Load(config.Source{Dev: true, Env: env}); err != nil {
		t.Error(err)
	}
	if _, err := config.Load(config.Source{Env: env}); err == nil || !strings.HasSuffix(err.Error(), "it is for --dev") {
		t.Errorf("outside development: %v", err)
	}
}

// What vendors give is never in a message.
func TestSecretsOfSendersAreNotShown(t *testing.T) {
	for _, s := range []string{"twilio.token", "vonage.secret", "vonage.signature", "sns.secret_key", "sns.session_token", "smpp.password", "webhook.url", "webhook.secret"} {
		_, err := config.Load(config.Source{File: file(t, "text."+s+" = \"marker\\nmarker\""), Dev: true})
		if err == nil || strings.Contains(err.Error(), "marker") {
			t.Errorf("%s: %v", s, err)
		}
	}
}
