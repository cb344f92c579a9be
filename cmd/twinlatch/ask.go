package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/twinlatch/twinlatch"
)

// tty is the terminal at which somebody types; nil: nobody does.
func (t terminal) tty() *os.File {
	if file, ok := t.in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return file
	}
	return nil
}

// newPassword reads a password: at a terminal twice and without showing it, else
// the first line of what is there.
func (t terminal) newPassword(ctx context.Context) (twinlatch.Secret, error) {
	tty := t.tty()
	if tty == nil {
		line, err := t.line(ctx)
		return twinlatch.NewSecret(line), err
	}
	first, err := t.unseen(ctx, tty, "Password: ")
	if err != nil {
		return twinlatch.Secret{}, err
	}
	again, err := t.unseen(ctx, tty, "The same again: ")
	if err == nil && first != again {
		err = errors.New("these are two different passwords; nothing was done")
	}
	return twinlatch.NewSecret(first), err
}

// sure has who is about to delete an account type its login again.
func (t terminal) sure(ctx context.Context, login string) error {
	if t.tty() == nil {
		return errors.New("nobody is there to be asked; if you are sure, add --yes")
	}
	fmt.Fprint(t.err, "To delete this account for good, type its address again: ")
	again, err := t.line(ctx)
	if err == nil && twinlatch.FoldLogin(again) != twinlatch.FoldLogin(login) {
		err = fmt.Errorf("that is not %s; nothing was done", word(login))
	}
	return err
}

// line reads one line, or what there is of it.
func (t terminal) line(ctx context.Context) (string, error) {
	const most = 8 << 10 // more than any answer
	line, err := interruptible(ctx, func() (string, error) {
		return bufio.NewReader(io.LimitReader(t.in, most)).ReadString('\n')
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// unseen reads a line that the terminal does not show. Whoever interrupts it gets
// a terminal back that shows again what they type.
func (t terminal) unseen(ctx context.Context, tty *os.File, prompt string) (string, error) {
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	fmt.Fprint(t.err, prompt)
	line, err := interruptible(ctx, func() (string, error) {
		line, err := term.ReadPassword(int(tty.Fd()))
		return string(line), err
	})
	fmt.Fprintln(t.err)
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(int(tty.Fd()), before))
	}
	return line, err
}

// interruptible ends with ctx, although read goes on to wait for somebody.
func interruptible(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	given := make(chan answer, 1)
	go func() {
		text, err := read()
		given <- answer{text, err}
	}()
	select {
	case a := <-given:
		return a.text, a.err
	case <-ctx.Done():
		return "", errors.New("interrupted; nothing was done")
	}
}
