// Verifies an exported log (spec/checkpoint.md) with golang.org/x/mod/sumdb, which knows nothing of the program that wrote
// it: verify DIRECTORY [VKEY]
//
// Without VKEY the key is taken from the directory, and all that is shown is that its files belong together. It builds with
// what Debian packages as golang-go and golang-golang-x-mod-dev, without a module proxy:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build verify.go
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

var (
	root string
	// Of the first epoch; the key as text.
	name, key string
	seen      = map[string]bool{}
)

func demand(right bool, format string, args ...any) {
	if !right {
		fmt.Fprintf(os.Stderr, "FAILED: "+format+"\n", args...)
		os.Exit(1)
	}
}

func read(path string) []byte {
	seen[path] = true
	data, err := os.ReadFile(filepath.Join(root, path))
	demand(err == nil, "%v", err)
	return data
}

// decode takes the one spelling that encoding gives; Go's decoder takes more.
func decode(text string) []byte {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	demand(err == nil && base64.StdEncoding.EncodeToString(raw) == text, "base64 %q", text)
	return raw
}

// readKeys takes a line for each epoch of the log, NAME, NAME/e2 and so on, all with the key of the first.
func readKeys(vkey string) (verifiers []note.Verifier) {
	demand(strings.HasSuffix(vkey, "\n"), "vkey: form")
	for i, line := range strings.Split(strings.TrimSuffix(vkey, "\n"), "\n") {
		verifier, err := note.NewVerifier(line)
		demand(err == nil, "vkey: %v", err)
		encoded := strings.SplitN(line, "+", 3)[2]
		decode(encoded)
		if i == 0 {
			name, key = verifier.Name(), encoded
		}
		demand(verifier.Name() == origin(i+1) && encoded == key, "vkey: another log or key")
		demand(line == fmt.Sprintf("%s+%08x+%s", verifier.Name(), verifier.KeyHash(), encoded), "vkey: form")
		verifiers = append(verifiers, verifier)
	}
	return verifiers
}

func origin(epoch int) string {
	if epoch == 1 {
		return name
	}
	return fmt.Sprintf("%s/e%d", name, epoch)
}

// openNote also returns the epoch.
func openNote(path string, verifiers []note.Verifier) (tlog.Tree, int) {
	opened, err := note.Open(read(path), note.VerifierList(verifiers...))
	demand(err == nil, "%s: %v", path, err)
	demand(len(opened.Sigs) == 1, "%s: %d signatures", path, len(opened.Sigs))
	decode(opened.Sigs[0].Base64)
	lines := strings.Split(opened.Text, "\n")
	demand(len(lines) == 4 && lines[0] == opened.Sigs[0].Name, "%s: origin or extension lines", path)
	epoch := 1
	for origin(epoch) != lines[0] {
		epoch++
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	demand(err == nil && strconv.FormatInt(size, 10) == lines[1] && size >= 0, "%s: size", path)
	tree := tlog.Tree{N: size}
	demand(copy(tree.Hash[:], decode(lines[2])) == tlog.HashSize, "%s: root hash", path)
	return tree, epoch
}

// hashes are all hashes of the tree, in the order of tlog.StoredHashIndex.
type hashes []tlog.Hash

func (stored hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(stored)) {
			return nil, fmt.Errorf("hash %d is missing", index)
		}
		out[i] = stored[index]
	}
	return out, nil
}

// tilePath: sumdb puts the height in front of the level and calls the entries data.
func tilePath(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), "tile/8/")
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

func (stored hashes) appendBundle(path string, width int) hashes {
	bundle := read(path)
	for i := 0; i < width; i++ {
		demand(len(bundle) >= 2, "%s: cut off", path)
		length := int(binary.BigEndian.Uint16(bundle))
		demand(len(bundle) >= 2+length, "%s: cut off", path)
		added, err := tlog.StoredHashes(entries, bundle[2:2+length], stored)
		demand(err == nil, "%s: %v", path, err)
		stored = append(stored, added...)
		bundle = bundle[2+length:]
		entries++
	}
	demand(len(bundle) == 0, "%s: longer than its entries", path)
	return stored
}

var entries int64

func main() {
	root = os.Args[1]
	vkey := string(read("vkey"))
	demand(len(os.Args) < 3 || strings.HasPrefix(vkey, os.Args[2]+"\n"), "vkey: not the one that was given")
	verifiers := readKeys(vkey)

	tree, newest := openNote("checkpoint", verifiers)
	var stored hashes
	for entries < tree.N {
		bundle := tlog.Tile{H: height, L: -1, N: entries >> height, W: 1 << height}
		if left := tree.N - entries; left < 1<<height {
			bundle.W = int(left)
		}
		stored = stored.appendBundle(tilePath(bundle), bundle.W)
	}
	// What sumdb takes for the hash of no entries is not what RFC 6962 says.
	empty := decode("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	checkRoot := func(path string, claimed tlog.Tree) {
		if claimed.N == 0 {
			demand(bytes.Equal(claimed.Hash[:], empty), "%s: root hash", path)
			return
		}
		hash, err := tlog.TreeHash(claimed.N, stored)
		demand(err == nil && hash == claimed.Hash, "%s: root hash", path)
	}
	checkRoot("checkpoint", tree)
	tiles := tlog.NewTiles(height, 0, tree.N)
	for i, tile := range tiles {
		// Older versions of sumdb list a partial tile at all of its widths, the one of this size at the end.
		if next := i + 1; next < len(tiles) && tiles[next].L == tile.L && tiles[next].N == tile.N {
			continue
		}
		data, err := tlog.ReadTileData(tile, stored)
		demand(err == nil, "%v: %v", tile, err)
		demand(bytes.Equal(data, read(tilePath(tile))), "%s: not the hashes of its entries", tilePath(tile))
	}

	older, err := filepath.Glob(filepath.Join(root, "checkpoints", "*"))
	demand(err == nil, "%v", err)
	earlier, err := filepath.Glob(filepath.Join(root, "earlier", "*", "*"))
	demand(err == nil, "%v", err)
	older = append(older, earlier...)
	for _, file := range older {
		path, _ := filepath.Rel(root, file)
		path = filepath.ToSlash(path)
		old, epoch := openNote(path, verifiers)
		place := fmt.Sprintf("checkpoints/%d", old.N)
		if epoch != newest {
			place = fmt.Sprintf("earlier/e%d/%d", epoch, old.N)
		}
		demand(path == place && old.N <= tree.N, "%s: name", path)
		checkRoot(path, old)
		if old.N == 0 {
			continue
		}
		proof, err := tlog.ProveTree(tree.N, old.N, stored)
		demand(err == nil, "%s: %v", path, err)
		demand(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash) == nil, "%s: not consistent", path)
	}

	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		path, _ := filepath.Rel(root, file)
		demand(err == nil, "%v", err)
		demand(entry.IsDir() || seen[filepath.ToSlash(path)], "%s: does not belong there", path)
		return nil
	})
	demand(err == nil, "%v", err)
	fmt.Printf("verified %d entries and %d checkpoints of %s\n", tree.N, 1+len(older), origin(newest))
}
