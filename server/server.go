// Package server puts doors and background work into one process.
//
// [Run] serves one handler until its context ends, and lets requests in flight
// finish. Around the handler it does what every door needs and none should do by
// itself: time limits, limits of size, a request id, the access log, recovery
// from panics, GET /healthz, GET /readyz and GET /client-ip, and work in the
// background: sweeping, checkpoints, messages.
//
// It decides nothing about who may pass, and reads no cookie. TLS is the proxy's
// business.
//
// This package belongs to the program and promises no stability to others.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Options says what to serve and where.
type Options struct {
	Listener   net.Listener                                 // already open; Run closes it
	Address    string                                       // the public URL, for the line that says we are ready
	Handler    http.Handler                                 // all doors
	Checks     func(*http.Request) http.Handler             // answers what proxies ask for each request, which is neither numbered nor logged; nil, or nil of a request: Handler does
	Ready      func(context.Context) error                  // nil error: requests can be served; required
	Sweep      func(context.Context) error                  // deletes what has ended; nil: nothing to sweep
	Checkpoint func(context.Context) error                  // has the trail held by checkpoints; nil: it is not
	Deliver    func(context.Context) (tried int, err error) // sends what is due; nil: nothing to send
	Due        <-chan struct{}                              // something is due before its time; may be nil
	ClientIP   func(*http.Request) netip.Addr               // the address that decides, for GET /client-ip; nil: that does not exist
	Receipts   map[string]http.Handler                      // what vendors post to /receipts/NAME; they authenticate it
	Log        *slog.Logger                                 // nil: discarded
	Out        io.Writer                                    // gets that line; nil: nobody
	Limits     Limits                                       // zero fields: the values of DefaultLimits

	asking chan struct{} // holds one while Ready is asked
}

// Limits bounds what one client may cost. Together with one process's memory
// they are why slow and oversized requests do no harm.
type Limits struct {
	ReadHeader  time.Duration // for the request's header to arrive
	Read        time.Duration // for the whole request to arrive
	Write       time.Duration // from the end of the header to the end of the answer
	Idle        time.Duration // between two requests of a connection
	HeaderBytes int           // more is 431
	BodyBytes   int64         // reading more is an error (http.MaxBytesError)
	Ready       time.Duration // for Options.Ready to answer
	Shutdown    time.Duration // for requests in flight when the server stops
	SweepEvery  time.Duration // between two sweeps, and two checkpoints; also how long one may take
	SendEvery   time.Duration // between two looks for messages that are due
}

// DefaultLimits is what the zero Limits means.
func DefaultLimits() Limits {
	return Limits{
		ReadHeader: 10 * time.Second, Read: 10 * time.Second, // one deadline, set once a request
		Write: 30 * time.Second, Idle: 2 * time.Minute,
		HeaderBytes: 16 << 10, BodyBytes: 64 << 10,
		Ready: 2 * time.Second, Shutdown: 10 * time.Second,
		SweepEvery: 5 * time.Minute, SendEvery: time.Second,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	orElse(&l.ReadHeader, d.ReadHeader)
	orElse(&l.Read, d.Read)
	orElse(&l.Write, d.Write)
	orElse(&l.Idle, d.Idle)
	orElse(&l.HeaderBytes, d.HeaderBytes)
	orElse(&l.BodyBytes, d.BodyBytes)
	orElse(&l.Ready, d.Ready)
	orElse(&l.Shutdown, d.Shutdown)
	orElse(&l.SweepEvery, d.SweepEvery)
	orElse(&l.SendEvery, d.SendEvery)
	return l
}

func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Run serves until ctx ends. Then it accepts nothing new, waits for the requests
// in flight and for work in the background, and returns nil; requests that do not end
// within Limits.Shutdown are cut off, which is an error.
func Run(ctx context.Context, o Options) error {
	if o.Listener == nil || o.Handler == nil || o.Ready == nil {
		return errors.New("server: Listener, Handler and Ready are required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = slog.New(LogHandler(o.Log.Handler()))
	o.Limits = o.Limits.withDefaults()
	o.asking = make(chan struct{}, 1)

	srv := &http.Server{
		Handler:           o.handler(),
		ReadHeaderTimeout: o.Limits.ReadHeader,
		ReadTimeout:       o.Limits.Read,
		WriteTimeout:      o.Limits.Write,
		IdleTimeout:       o.Limits.Idle,
		MaxHeaderBytes:    o.Limits.HeaderBytes,
		ConnContext:       withConn,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	listener := newDeadlines(o.Listener)
	go func() { served <- srv.Serve(listener) }()
	working, stopWorking := context.WithCancel(ctx)
	ticking, stopTicking := context.WithCancel(context.WithoutCancel(ctx)) // longer: requests may be in flight
	var work sync.WaitGroup
	work.Go(func() { listener.run(ticking) })
	work.Go(func() { o.nowAndThen(working, "sweep", o.Sweep) })
	work.Go(func() { o.nowAndThen(working, "checkpoint", o.Checkpoint) })
	work.Go(func() { o.deliver(working) })
	defer func() {
		stopWorking()
		stopTicking()
		work.Wait()
	}()

	// The listener is open, so a client that reads this line can connect.
	o.Log.Info("ready", "address", o.Address, "listen", o.Listener.Addr().String())
	if o.Out != nil {
		fmt.Fprintf(o.Out, "Twinlatch is ready at %s\n", o.Address)
	}
	select {
	case err := <-served:
		return fmt.Errorf("server: %w", err)
	case <-ctx.Done():
	}
	o.Log.Info("stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Limits.Shutdown)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close()
		return fmt.Errorf("server: requests were cut off after %v", o.Limits.Shutdown)
	}
	o.Log.Info("stopped")
	return nil
}

// nowAndThen does some work at once and every few minutes until ctx ends. Work
// that failed is tried again the next time.
func (o Options) nowAndThen(ctx context.Context, name string, work func(context.Context) error) {
	if work == nil {
		return
	}
	tick := time.NewTicker(o.Limits.SweepEvery)
	defer tick.Stop()
	for {
		if err := o.once(ctx, work); err != nil && ctx.Err() == nil {
			o.Log.Error(name, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (o Options) once(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, o.Limits.SweepEvery)
	defer cancel()
	return guarded(ctx, work)
}

// deliver calls Options.Deliver again and again until ctx ends, at once while
// there is more to do. A failed call is no loss: messages stay in the outbox.
func (o Options) deliver(ctx context.Context) {
	if o.Deliver == nil {
		return
	}
	tick := time.NewTicker(o.Limits.SendEvery)
	defer tick.Stop()
	broken := false // said once, not every second
	for ctx.Err() == nil {
		tried := 0
		err := guarded(ctx, func(ctx context.Context) (err error) {
			tried, err = o.Deliver(ctx)
			return err
		})
		if err != nil && ctx.Err() == nil && !broken {
			o.Log.Error("deliver", "error", err)
		}
		if broken = err != nil; tried > 0 && !broken {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-o.Due:
		}
	}
}
