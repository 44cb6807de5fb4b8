#!/bin/sh
# pack.sh TARGET FOLDER: keeps the inputs in FOLDER as what was found for this fuzz target, in place of those before:
# tests/fuzz/corpus/TARGET.tar.xz, which is read by make fuzz and by tests/it/corpus.rs. What found a mistake is better kept
# in seeds, under a name that says what it is.
set -eu
[ $# -eq 2 ] || { echo 'usage: pack.sh TARGET FOLDER' >&2; exit 64; }
folder=$(realpath "$2")
cd "$(dirname "$0")/corpus"
# The same inputs are the same file, whoever packs them and when.
tar --sort=name --owner=0 --group=0 --numeric-owner --mode=go-w --mtime=@0 -C "$folder" -cf - . | xz -9e >"$1.tar.xz.new"
mv "$1.tar.xz.new" "$1.tar.xz"
