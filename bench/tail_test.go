package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkCheckBesideHashing compares the slowest hundredth of checks with that of a bare
// handler, while sign-ins keep the program hashing as many passwords as it does at a time.
// Both are asked by turns, over a connection each. Wanted: at most twice as long.
func BenchmarkCheckBesideHashing(b *testing.B) {
	s := newSite(b)
	hello, stopHello := s.startWith(b, nil, true)
	defer stopHello()
	check, stopCheck := s.startWith(b, nil, false)
	defer stopCheck()
	ctx, cancel := context.WithCancel(context.Background())
	var signIns atomic.Int64
	var load sync.WaitGroup
	for n := range 8 {
		load.Go(func() { signInForEver(ctx, check, n, &signIns) })
	}
	defer load.Wait()
	defer cancel()
	for b.Loop() {
		const rounds, each = 9, 3000
		var ratios, checks, hellos []float64
		before, began := signIns.Load(), time.Now()
		for range rounds {
			took := s.turns(b, each, check, hello)
			c, h := slowest(took[0]), slowest(took[1])
			checks, hellos, ratios = append(checks, c), append(hellos, h), append(ratios, c/h)
		}
		for _, all := range [][]float64{ratios, checks, hellos} {
			slices.Sort(all)
		}
		b.ReportMetric(float64(signIns.Load()-before)/time.Since(began).Seconds(), "sign-ins/s")
		b.ReportMetric(checks[rounds/2], "check-p99-ms")
		b.ReportMetric(hellos[rounds/2], "hello-p99-ms")
		b.ReportMetric(ratios[rounds/2], "x-hello")
	}
	b.ReportMetric(0, "ns/op")
}

// signInForEver tries passwords of people that there are not, each from another network,
// which costs as much as those of others.
func signInForEver(ctx context.Context, address string, n int, done *atomic.Int64) {
	for i := 0; ctx.Err() == nil; i++ {
		form := url.Values{"email": {fmt.Sprintf("p%d-%d@example.com", n, i)}, "password": {"four unrelated words"}}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/sign-in", strings.NewReader(form.Encode()))
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n, i/250, i%250+1))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode == http.StatusUnprocessableEntity {
			done.Add(1)
		}
	}
}

// turns asks each address n times, by turns, and says how many milliseconds each took.
func (s *site) turns(b testing.TB, n int, addresses ...string) [][]float64 {
	b.Helper()
	type line struct {
		net.Conn
		in *bufio.Reader
	}
	var lines []line
	for _, address := range addresses {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		lines = append(lines, line{c, bufio.NewReader(c)})
	}
	took := make([][]float64, len(lines))
	for range n {
		for i, l := range lines {
			began := time.Now()
			if _, err := l.Write(s.request); err != nil {
				b.Fatal(err)
			}
			answer, err := http.ReadResponse(l.in, nil)
			if err != nil {
				b.Fatal(err)
			}
			answer.Body.Close()
			took[i] = append(took[i], time.Since(began).Seconds()*1000)
			if answer.StatusCode != http.StatusOK {
				b.Fatal(answer.Status)
			}
		}
	}
	return took
}

// slowest is what 99 of a hundred are quicker than.
func slowest(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)*99/100]
}
