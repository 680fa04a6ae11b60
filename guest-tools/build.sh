#!/bin/bash
# Builds the guests and packs them into dist/. One pinned route: the toolchain of
# rust-toolchain.toml with rustup's own wasm32-wasip1 std. Needs rustup, patch and a C compiler.
#
#   build.sh                  build every guest, write dist/
#   build.sh NAME...          build and pack only these guests
#   build.sh --verify         build into a temporary folder and compare with dist/ byte for byte
#   build.sh prepare          only make patched/, which a plain `cargo build` in here needs
#   build.sh check            only compare the sources' hash with dist/manifest.toml (no Wasm)
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
root=$(dirname "$here")
cargo_home=${CARGO_HOME:-$HOME/.cargo}
target=wasm32-wasip1

# From the root, because the settings in here are for the guests' target.
pack() {
    cd "$root"
    cargo run --quiet --release --locked --manifest-path "$here/pack/Cargo.toml" -- "$@"
    cd "$here"
}

registry_source() {
    local found=("$cargo_home"/registry/src/*/"$1")
    [ -d "${found[0]}" ] || { echo "build.sh: no source of $1 in $cargo_home/registry" >&2; exit 1; }
    echo "${found[0]}"
}

# Copies the registry crates that patches/ names and applies the patches.
prepare() {
    local stamp patch name utility source
    stamp=$(cat patches/*.patch Cargo.lock | sha256sum)
    if [ "$stamp" = "$(cat patched/stamp 2>/dev/null)" ]; then
        return
    fi
    cargo fetch --quiet --locked --manifest-path patches/Cargo.toml
    rm -rf patched
    mkdir patched
    for patch in patches/*.patch; do
        name=$(basename "$patch" .patch)
        cp -r "$(registry_source "$name")" "patched/$name"
        patch --quiet -p1 -d "patched/$name" < "$patch"
    done
    cargo fetch --quiet --target "$target"
    mkdir -p patched/uucore-0.12.0/locales/utilities
    sed -n 's/^name = "\(uu_[a-z0-9_]*\)"$/\1/p' Cargo.lock | while read -r utility; do
        source=$(registry_source "$utility-0.12.0")
        if [ -f "$source/locales/en-US.ftl" ]; then
            cp "$source/locales/en-US.ftl" "patched/uucore-0.12.0/locales/utilities/${utility#uu_}.ftl"
        fi
    done
    echo "$stamp" > patched/stamp
}

# Builds guests into the target folder $1; paths of this machine stay out of the modules. Each is
# built by itself: built together, one guest's dependencies would get the features that another
# asks for, and its bytes would depend on which guests were named beside it.
build() {
    local out=$1 guest
    shift
    rustup target list --installed | grep -qx "$target" || rustup target add "$target"
    for guest; do
        CARGO_TARGET_DIR=$out cargo build --locked --release --target "$target" \
            --config "target.$target.rustflags=['--remap-path-prefix=$cargo_home/registry/src=/deps', '--remap-path-prefix=$here=/guest-tools', '--remap-path-prefix=$out=/target']" \
            --package="$guest"
    done
}

verify=no
guests=()
for argument; do
    case $argument in
        prepare) prepare; exit ;;
        check) pack check "$here" "$root/dist"; exit ;;
        --verify) verify=yes ;;
        -*) echo "build.sh: unknown option $argument" >&2; exit 64 ;;
        *) guests+=("$argument") ;;
    esac
done

prepare
if [ ${#guests[@]} = 0 ]; then
    mapfile -t guests < <(pack list "$here")
fi
if [ $verify = yes ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    build "$work/target" "${guests[@]}"
    pack verify "$here" "$root/dist" "$work/target/$target/release" "${guests[@]}"
else
    out=${CARGO_TARGET_DIR:-$here/target}
    build "$out" "${guests[@]}"
    pack write "$here" "$root/dist" "$out/$target/release" "${guests[@]}"
fi
