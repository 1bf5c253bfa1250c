#!/usr/bin/env python3
"""Verifies an exported log (spec/checkpoint.md) with the standard library and openssl: verify.py DIRECTORY [VKEY]
Without VKEY the key is taken from the directory, and all that is shown is that its files belong together."""
import base64, hashlib, pathlib, subprocess, sys, tempfile

folder = pathlib.Path(sys.argv[1])
unread = {str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir()}
sha = lambda data: hashlib.sha256(data).digest()
demand = lambda right, what: right or sys.exit("FAILED: " + what)
read = lambda path: unread.discard(path) or (folder / path).read_bytes()

def decode(text):  # as there are several spellings in base64, only the one that encoding gives
    return demand(base64.b64encode(raw := base64.b64decode(text)) == text, "base64") and raw

def read_tile(row, index, width):
    path = "%03d" % (index % 1000)
    while index := index // 1000: path = "x%03d/%s" % (index % 1000, path)
    return read("tile/%s/%s" % (row, path) + ("" if width == 256 else ".p/%d" % width))

def tree_hash(hashes):  # RFC 6962: the left half is the largest power of two that leaves something to the right one
    if len(hashes) < 2: return hashes[0] if hashes else sha(b"")
    left = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1" + tree_hash(hashes[:left]) + tree_hash(hashes[left:]))

def open_note(path):
    text, _, lines = read(path).rpartition(b"\n\n")
    origin, size, root_hash = text.split(b"\n")
    mark = "— ".encode() + origin + b" "
    known = [raw[4:] for line in lines.split(b"\n") if line.startswith(mark) and (raw := decode(line[len(mark):]))[:4] == key_ids.get(origin)]
    demand(len(known) == 1 and lines.endswith(b"\n"), path + ": no signature by the key")
    with tempfile.TemporaryDirectory() as work:
        for file, content in (("key", spki), ("text", text + b"\n"), ("sig", known[0])): pathlib.Path(work, file).write_bytes(content)
        openssl = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile sig".split()
        demand(subprocess.run(openssl, cwd=work, capture_output=True).returncode == 0, path + ": signature")
    return path, origin, int(size), decode(root_hash)

vkey = read("vkey")  # a line for each epoch of the log, NAME, NAME/e2 and so on, with the same key
name, _, key = vkey.split(b"\n")[0].split(b"+", 2)
epochs = {name + (b"/e%d" % epoch if epoch > 1 else b""): epoch for epoch in range(1, vkey.count(b"\n") + 1)}
key_ids, spki = {origin: sha(origin + b"\n" + decode(key))[:4] for origin in epochs}, bytes.fromhex("302a300506032b6570032100") + decode(key)[1:]
demand(decode(key)[0] == 1 and vkey == b"".join(b"%s+%s+%s\n" % (origin, key_ids[origin].hex().encode(), key) for origin in epochs), "vkey: form")
demand(len(sys.argv) < 3 or vkey.startswith(sys.argv[2].encode() + b"\n"), "vkey: not the one that was given")
heads = [open_note(path) for path in ["checkpoint", *(path for path in sorted(unread) if path.startswith(("checkpoints/", "earlier/")))]]
(_, newest, size, _), leaves, level = heads[0], [], 0
for start in range(0, size, 256):
    bundle, at = read_tile("entries", start // 256, min(256, size - start)), 0
    while at < len(bundle):
        begin, at = at + 2, at + 2 + int.from_bytes(bundle[at:at + 2], "big")
        leaves.append(sha(b"\0" + bundle[begin:at]))
    demand(at == len(bundle) and len(leaves) == min(size, start + 256), "bundle from entry %d on" % start)
for path, origin, count, root_hash in heads:
    place = "checkpoints/%d" % count if origin == newest else "earlier/e%d/%d" % (epochs[origin], count)
    demand(path in ("checkpoint", place) and count <= size and tree_hash(leaves[:count]) == root_hash, path + ": name or root hash")
while leaves:
    tiles = [leaves[at:at + 256] for at in range(0, len(leaves), 256)]
    for index, hashes in enumerate(tiles): demand(read_tile(level, index, len(hashes)) == b"".join(hashes), "tile %d/%d" % (level, index))
    leaves, level = [tree_hash(hashes) for hashes in tiles if len(hashes) == 256], level + 1
demand(not unread, "files that do not belong there: %s" % sorted(unread)[:5])
print("verified %d entries and %d checkpoints of %s" % (size, len(heads), newest.decode()))
