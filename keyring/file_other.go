//go:build !unix

package keyring

import (
	"io/fs"
	"os"
)

const hasModes = false // access is by lists that fs.FileMode does not show

func keepOwner(*os.File, fs.FileInfo) error { return nil }

func syncDir(string) error { return nil }
