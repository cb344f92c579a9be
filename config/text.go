package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/twinlatch/twinlatch"
)

// Text is how text messages are sent.
type Text struct {
	Senders   []string // in order of trial; empty: no text messages
	Name      string   // of the service, in the message
	Region    string   // of numbers without country code; empty: none
	Countries []string // that may be sent to; empty: all

	PerHour, CountryPerHour, NetworkPerHour int

	Budget int            // for 24 hours, in ten-thousandths; 0: no limit
	Price  int            // of a message, in ten-thousandths
	Prices map[string]int // by country, where they differ

	Settings map[string]twinlatch.Secret // of the senders, by "twilio.token" and so on
}

// PriceOf is what a message to a country costs.
func (t Text) PriceOf(country string) int {
	if price, ok := t.Prices[country]; ok {
		return price
	}
	return t.Price
}

// Secrets are the parts of a sender's setting that is a list.
func (t Text) Secrets(key string) []twinlatch.Secret {
	var all []twinlatch.Secret
	for _, item := range items(t.Settings[key].Reveal()) {
		all = append(all, twinlatch.NewSecret(item))
	}
	return all
}

// textSettings are those that begin with "text.".
func textSettings() []Setting {
	rows := []Setting{
		{Key: "text.senders", list: true, set: setSenders,
			Help: "Who carries text messages, in order of trial: twilio, vonage, sns, smpp, webhook. With --dev: outbox."},
		{Key: "text.name", Default: "Twinlatch", set: func(c *Config, v string) error { c.Text.Name = v; return nil },
			Help: "Name in the message, at most 30 characters."},
		{Key: "text.region", set: setRegion,
			Help: "Country of numbers written without country code, for instance GB. Without it they begin with + or 00."},
		{Key: "text.countries", list: true, set: setCountries,
			Help: "Countries that may be sent to, for instance GB,IE. Without it: all."},
		{Key: "text.per_hour", Default: "1000", set: count(func(c *Config) *int { return &c.Text.PerHour }),
			Help: "Messages an hour in all."},
		{Key: "text.country_per_hour", Default: "300", set: count(func(c *Config) *int { return &c.Text.CountryPerHour }),
			Help: "Messages an hour to one country."},
		{Key: "text.network_per_hour", Default: "30", set: count(func(c *Config) *int { return &c.Text.NetworkPerHour }),
			Help: "Messages an hour asked for from one IPv4 address (IPv6 /64 twice as many)."},
		{Key: "text.budget", set: setBudget,
			Help: "What text messages may cost in 24 hours, by text.price: with its default, how many there may be. Without it: no limit."},
		{Key: "text.price", Default: "1", list: true, set: setPrice,
			Help: "What a message costs, and where it costs something else: 0.05,GB=0.04,US=0.0079."},
	}
	for _, s := range [...]struct {
		key, help string
		secret    bool
	}{
		{"twilio.account", "Twilio: account SID (AC…).", false},
		{"twilio.token", "Twilio: auth token.", true},
		{"twilio.from", "Twilio: number, sender ID or messaging service (MG…).", false},
		{"twilio.url", "Twilio: another address of the API.", false},
		{"vonage.key", "Vonage: API key.", false},
		{"vonage.secret", "Vonage: API secret; not needed with text.vonage.signature.", true},
		{"vonage.signature", "Vonage: signature secret (SHA-256 HMAC); needed for receipts.", true},
		{"vonage.from", "Vonage: number or sender ID.", false},
		{"vonage.url", "Vonage: another address of the API.", false},
		{"sns.region", "AWS SNS: region, eu-west-1.", false},
		{"sns.access_key", "AWS SNS: ID of the access key.", false},
		{"sns.secret_key", "AWS SNS: secret of the access key.", true},
		{"sns.session_token", "AWS SNS: token of temporary keys.", true},
		{"sns.sender_id", "AWS SNS: sender ID where the country allows one.", false},
		{"sns.max_price", "AWS SNS: US dollars a message at most, 0.50.", false},
		{"sns.url", "AWS SNS: another address of the API.", false},
		{"smpp.address", "SMPP: host:port.", false},
		{"smpp.tls", "SMPP: yes or no.", false},
		{"smpp.system_id", "SMPP: system_id to bind as.", false},
		{"smpp.password", "SMPP: password.", true},
		{"smpp.system_type", "SMPP: system_type, often empty.", false},
		{"smpp.source", "SMPP: number or sender ID.", false},
		{"smpp.receipts", "SMPP: no binds as transmitter only, without delivery receipts.", false},
		{"smpp.receipt_ids", "SMPP: how receipts write message ids, decimal or hex, where they differ.", false},
		{"webhook.url", "Webhook: https address of your gateway.", true},
		{"webhook.secret", "Webhook: whsec_…; two with a comma while you change it.", true},
	} {
		rows = append(rows, Setting{Key: "text." + s.key, Help: s.help, secret: s.secret, list: s.key == "webhook.secret", set: func(c *Config, v string) error {
			if !isOneLine(v) {
				return errors.New("want one line")
			}
			if yesNo := s.key == "smpp.tls" || s.key == "smpp.receipts"; yesNo && v != "yes" && v != "no" {
				return errors.New("want yes or no")
			}
			if c.Text.Settings == nil {
				c.Text.Settings = map[string]twinlatch.Secret{}
			}
			c.Text.Settings[s.key] = twinlatch.NewSecret(v)
			return nil
		}})
	}
	return rows
}

// items are the parts of a list, without the spaces around them.
func items(value string) []string {
	var all []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			all = append(all, item)
		}
	}
	return all
}

func setSenders(c *Config, value string) error {
	c.Text.Senders = items(value)
	for i, name := range c.Text.Senders {
		if name == "outbox" && !c.Dev {
			return errors.New("outbox keeps codes for anybody to read: it is for --dev")
		}
		if !slices.Contains([]string{"twilio", "vonage", "sns", "smpp", "webhook", "outbox"}, name) {
			return fmt.Errorf("there is no sender %q; there are twilio, vonage, sns, smpp and webhook", name)
		}
		if slices.Contains(c.Text.Senders[:i], name) {
			return fmt.Errorf("%s is there twice", name)
		}
	}
	return nil
}

func isCountry(s string) bool {
	return len(s) == 2 && strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}

func setRegion(c *Config, value string) error {
	if !isCountry(value) {
		return errors.New("want two capital letters, for instance GB")
	}
	c.Text.Region = value
	return nil
}

func setCountries(c *Config, value string) error {
	c.Text.Countries = items(value)
	for _, country := range c.Text.Countries {
		if !isCountry(country) {
			return errors.New("want two capital letters for each country, for instance GB,IE")
		}
	}
	return nil
}

func count(of func(*Config) *int) func(*Config, string) error {
	return func(c *Config, value string) error {
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil || n == 0 {
			return errors.New("want a number from 1")
		}
		*of(c) = int(n)
		return nil
	}
}

func setBudget(c *Config, value string) (err error) {
	c.Text.Budget, err = parseMoney(value)
	if err == nil && c.Text.Budget == 0 {
		err = errors.New("want more than 0; without text.senders nothing is sent")
	}
	return err
}

func setPrice(c *Config, value string) error {
	c.Text.Prices = map[string]int{}
	for _, item := range items(value) {
		country, price, named := strings.Cut(item, "=")
		if !named {
			country, price = "", item
		}
		n, err := parseMoney(price)
		switch {
		case err != nil:
			return err
		case !named:
			c.Text.Price = n
		case !isCountry(country):
			return errors.New("want prices as 0.05,GB=0.04")
		default:
			c.Text.Prices[country] = n
		}
	}
	return nil
}

// parseMoney reads "12" and "0.0079" as ten-thousandths.
func parseMoney(text string) (int, error) {
	whole, part, _ := strings.Cut(text, ".")
	digits := strings.IndexFunc(whole+part, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsDigit(r) }) < 0
	n, err := strconv.ParseInt(whole+(part + "0000")[:4], 10, 64)
	if whole == "" || len(part) > 4 || !digits || err != nil || n > math.MaxInt32 {
		return 0, fmt.Errorf("%.20q is no amount; write 12 or 0.0079", text)
	}
	return int(n), nil
}
