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
		line, err := t.line()
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

// unseen reads a line that the terminal does not show. Whoever interrupts it gets
// a terminal back that shows again what they type.
func (t terminal) unseen(ctx context.Context, tty *os.File, prompt string) (string, error) {
	type answer struct {
		line []byte
		err  error
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	fmt.Fprint(t.err, prompt)
	read := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(int(tty.Fd()))
		read <- answer{line, err}
	}()
	select {
	case a := <-read:
		fmt.Fprintln(t.err)
		return string(a.line), a.err
	case <-ctx.Done():
		fmt.Fprintln(t.err)
		return "", errors.Join(errors.New("interrupted; nothing was done"), term.Restore(int(tty.Fd()), before))
	}
}

// line reads one line, or what there is of it.
func (t terminal) line() (string, error) {
	const most = 8 << 10 // more than any answer
	line, err := bufio.NewReader(io.LimitReader(t.in, most)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}
