#!/bin/bash
# Writes patches/NAME-VERSION.patch from what was edited in patched/NAME-VERSION.
set -euo pipefail
cd "$(dirname "$0")/.."
registry=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/index.crates.io-*)
for edited in patched/*/; do
    name=$(basename "$edited")
    work=$(mktemp -d)
    cp -r "$registry/$name" "$work/a"
    cp -r "$edited" "$work/b"
    rm -rf "$work/b/locales/utilities"
    (cd "$work" && diff -ruN a b | sed -E 's/^(---|\+\+\+) ([^\t]*)\t.*/\1 \2/') > "patches/$name.patch" || true
    rm -rf "$work"
done
