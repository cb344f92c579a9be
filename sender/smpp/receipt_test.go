package smpp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twinlatch/twinlatch"
)

const appendixB = "id:0000abc123 sub:001 dlvrd:001 submit date:2603040506 done date:2603040507 stat:DELIVRD err:000 text:483920 is your code"

func TestParseReceipt(t *testing.T) {
	t.Parallel()
	tlv := func(id string, state byte) map[uint16][]byte {
		return map[uint16][]byte{receiptedMessageID: []byte(id), messageState: {state}}
	}
	for name, row := range map[string]struct {
		m    shortMessage
		ids  IDs
		want receipt // without refs: none
	}{
		"Appendix B":            {shortMessage{class: 4, text: []byte(appendixB)}, "", receipt{[]string{"0000abc123", "abc123"}, "delivered", "DELIVRD"}},
		"failed":                {shortMessage{class: 4, text: []byte("id:7 stat:UNDELIV err:075 text:")}, "", receipt{[]string{"7"}, "failed", "UNDELIV err:075"}},
		"expired":               {shortMessage{class: 4, text: []byte("ID:7 Stat:expired Err:1a")}, "", receipt{[]string{"7"}, "failed", "EXPIRED err:1a"}},
		"in the payload":        {shortMessage{class: 4, parameters: map[uint16][]byte{messagePayload: []byte(appendixB)}}, "", receipt{[]string{"0000abc123", "abc123"}, "delivered", "DELIVRD"}},
		"parameters":            {shortMessage{class: 4, parameters: tlv("abc\x00", 2)}, "", receipt{[]string{"abc"}, "delivered", "DELIVRD"}},
		"without NUL":           {shortMessage{class: 4, parameters: tlv("abc", 5)}, "", receipt{[]string{"abc"}, "failed", "UNDELIV"}},
		"without class":         {shortMessage{parameters: tlv("abc\x00", 8)}, "", receipt{[]string{"abc"}, "failed", "REJECTD"}},
		"parameters count more": {shortMessage{class: 4, text: []byte("id:1 stat:UNDELIV err:033"), parameters: tlv("2\x00", 2)}, "", receipt{[]string{"2"}, "delivered", "DELIVRD err:033"}},
		"state in the text":     {shortMessage{class: 4, text: []byte("stat:REJECTD"), parameters: tlv("2\x00", 0)}, "", receipt{[]string{"2"}, "failed", "REJECTD"}},
		"unknown state":         {shortMessage{class: 4, parameters: tlv("2\x00", 200)}, "", receipt{}},
		"under way":             {shortMessage{class: 4, parameters: tlv("2\x00", 1)}, "", receipt{}},
		"accepted":              {shortMessage{class: 4, text: []byte("id:1 stat:ACCEPTD")}, "", receipt{}},
		"intermediate":          {shortMessage{class: 0x20, parameters: tlv("2\x00", 2)}, "", receipt{}},
		"a text from a phone":   {shortMessage{text: []byte(appendixB)}, "", receipt{}},
		"no id":                 {shortMessage{class: 4, text: []byte("stat:DELIVRD err:000")}, "", receipt{}},
		"quoted state":          {shortMessage{class: 4, text: []byte("id:1 text:stat:DELIVRD id:2")}, "", receipt{}},
		"another field's end":   {shortMessage{class: 4, text: []byte("paid:9 id:1 lastat:UNDELIV stat:DELIVRD")}, "", receipt{[]string{"1"}, "delivered", "DELIVRD"}},
		"an endless id":         {shortMessage{class: 4, parameters: tlv(strings.Repeat("1", 65), 2)}, "", receipt{}},
		"decimal of hex":        {shortMessage{class: 4, text: []byte("id:0000000171 stat:DELIVRD")}, IDsDecimal, receipt{[]string{"0000000171", "171", "ab", "AB", "000000ab", "000000AB"}, "delivered", "DELIVRD"}},
		"hex of decimal":        {shortMessage{class: 4, text: []byte("id:ab stat:DELIVRD")}, IDsHex, receipt{[]string{"ab", "171", "0000000171"}, "delivered", "DELIVRD"}},
		"no such number":        {shortMessage{class: 4, text: []byte("id:a-b stat:DELIVRD")}, IDsHex, receipt{[]string{"a-b"}, "delivered", "DELIVRD"}},
		"nothing but zeros":     {shortMessage{class: 4, text: []byte("id:000 stat:DELIVRD")}, "", receipt{[]string{"000"}, "delivered", "DELIVRD"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseReceipt(row.m, row.ids)
			switch {
			case ok != (row.want.refs != nil):
				t.Errorf("%+v, %v", got, ok)
			case ok && (!slices.Equal(got.refs, row.want.refs) || got.delivery != row.want.delivery || got.detail != row.want.detail):
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
	}
}

func FuzzReceipt(f *testing.F) {
	f.Add([]byte(appendixB), []byte("abc\x00"), byte(4), byte(2))
	f.Add([]byte("id:9999999999999999999999 stat:DELIVRD err:"), []byte{}, byte(0), byte(0))
	f.Fuzz(func(t *testing.T, text, id []byte, class, state byte) {
		for _, ids := range []IDs{IDsSame, IDsDecimal, IDsHex} {
			m := shortMessage{class: class, text: text, parameters: map[uint16][]byte{receiptedMessageID: id, messageState: {state}}}
			r, ok := parseReceipt(m, ids)
			if !ok {
				continue
			}
			if r.delivery != twinlatch.Delivered && r.delivery != twinlatch.Failed || len(r.detail) > 30 || len(r.refs) > 10 {
				t.Fatalf("%+v", r)
			}
			for i, ref := range r.refs {
				if ref == "" || len(ref) > maxID || slices.Contains(r.refs[:i], ref) {
					t.Fatalf("references %q", r.refs)
				}
			}
		}
	})
}

// deliver has a good SMSC send bodies in deliver_sm, all at once, and returns the
// command_status of each answer and when the last one came.
func deliver(t *testing.T, tell func(context.Context, twinlatch.Receipt) error, bodies ...[]byte) (statuses []uint32, after time.Duration) {
	t.Helper()
	done := make(chan struct{})
	s, _ := enter(t, func(c *Config) { c.ReceiptIDs = IDsDecimal }, func(p *peer) {
		p.bind()
		began := time.Now()
		go func() {
			for i, body := range bodies {
				p.write(pdu{command: deliverSM, sequence: uint32(i), body: body})
			}
		}()
		statuses = make([]uint32, len(bodies))
		for range bodies {
			got := p.expect(deliverSM | answer)
			if want := map[bool]string{true: "\x00"}[got.status == statusOK]; string(got.body) != want {
				t.Errorf("the answer %#x has the body %q", got.status, got.body)
			}
			statuses[got.sequence] = got.status
		}
		after = time.Since(began)
		close(done)
		p.serve()
	})
	if tell != nil {
		s.Receipts(tell)
	} else if _, err := s.bound(t.Context()); err != nil {
		t.Error(err)
	}
	<-done
	return statuses, after
}

func body(t *testing.T, m shortMessage) []byte {
	t.Helper()
	b, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The SMSC keeps a receipt until it hears that it was taken.
func TestReceiptsAreAnswered(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database is away")
	never := errors.New("not to be asked")
	good := shortMessage{class: 4, text: []byte(appendixB)}
	for name, row := range map[string]struct {
		m       shortMessage
		answers []error // of the listener, the last one again and again
		want    uint32
		after   time.Duration
		asked   int
	}{
		"taken":                 {good, []error{nil}, statusOK, 0, 1},
		"in another spelling":   {good, []error{twinlatch.ErrNotFound, nil}, statusOK, 0, 2},
		"faster than our notes": {good, []error{twinlatch.ErrNotFound, twinlatch.ErrNotFound, twinlatch.ErrNotFound, twinlatch.ErrNotFound, nil}, statusOK, 750 * time.Millisecond, 5},
		"of somebody else":      {good, []error{fmt.Errorf("no: %w", twinlatch.ErrNotFound)}, statusOK, 3750 * time.Millisecond, 10},
		"not now":               {good, []error{broken}, statusTemporary, 0, 1},
		"later not now":         {good, []error{twinlatch.ErrNotFound, twinlatch.ErrNotFound, broken}, statusTemporary, 250 * time.Millisecond, 3},
		"a text from a phone":   {shortMessage{text: []byte("STOP")}, []error{never}, statusOK, 0, 0},
		"intermediate":          {shortMessage{class: 0x20, text: []byte(appendixB)}, []error{never}, statusOK, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				asked := 0
				statuses, after := deliver(t, func(_ context.Context, r twinlatch.Receipt) error {
					if r.Sender != Name || r.Delivery != twinlatch.Delivered || r.Detail != "DELIVRD" || r.Message != "" {
						t.Errorf("told %+v", r)
					}
					asked++
					return row.answers[min(asked, len(row.answers))-1]
				}, body(t, row.m))
				if statuses[0] != row.want || after != row.after || asked != row.asked {
					t.Errorf("answered %#x after %v, told %d times; want %#x after %v, %d times", statuses[0], after, asked, row.want, row.after, row.asked)
				}
			})
		})
	}
	t.Run("garbage", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			b := body(t, good)
			statuses, _ := deliver(t, func(context.Context, twinlatch.Receipt) error { return never }, nil, []byte("garbage"), b[:len(b)-1], append(b, 1))
			for i, got := range statuses {
				if got != statusPermanent {
					t.Errorf("%d: answered %#x", i, got)
				}
			}
		})
	})
	t.Run("nobody listens", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			if statuses, _ := deliver(t, nil, body(t, good)); statuses[0] != statusOK {
				t.Errorf("answered %#x", statuses[0])
			}
		})
	})
}

// A flood of receipts takes no more goroutines than allowed; the SMSC sends the
// rest later.
func TestAFloodOfReceipts(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		b := body(t, shortMessage{class: 4, text: []byte(appendixB)})
		var all [][]byte
		for range 3 * maxDeliveries {
			all = append(all, b)
		}
		statuses, _ := deliver(t, func(ctx context.Context, _ twinlatch.Receipt) error {
			<-ctx.Done()
			return ctx.Err()
		}, all...)
		synctest.Wait()
		for i, got := range statuses {
			if got != statusTemporary {
				t.Fatalf("%d: answered %#x", i, got)
			}
		}
	})
}

// A slow listener does not keep messages from being sent.
func TestReceiptsDoNotStopMessages(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		b := body(t, shortMessage{class: 4, text: []byte(appendixB)})
		s, _ := enter(t, nil, func(p *peer) {
			p.bind()
			p.write(pdu{command: deliverSM, sequence: 1, body: b})
			p.serve()
		})
		sent, told := make(chan struct{}), make(chan string, 1)
		s.Receipts(func(_ context.Context, r twinlatch.Receipt) error {
			<-sent
			told <- r.Ref
			return nil
		})
		if _, err := sendIn(s, time.Second); err != nil {
			t.Error(err)
		}
		close(sent)
		if ref := <-told; ref != "0000abc123" {
			t.Errorf("told of %q", ref)
		}
	})
}
