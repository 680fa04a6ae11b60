#!/bin/bash
# Builds tools for wasm32-wasip1 and packs them into dist/ with a manifest: as they are, or as
# components. Needs rustup, or a toolchain that has the target's std by other means.
#
#   build.sh                  build every tool of tools.toml
#   build.sh NAME...          build and pack only these
#   build.sh --verify         build into a temporary folder and compare with dist/ byte for byte
#   build.sh check            only compare sources, files and policy with dist/manifest.toml (no Wasm)
#   build.sh --in FOLDER ...  the same for another folder with a tools.toml
set -euo pipefail
home=$(cd "$(dirname "$0")" && pwd)
here=$home
if [ "${1:-}" = --in ]; then
    here=$(cd "$2" && pwd)
    shift 2
fi
cd "$here"
cargo_home=${CARGO_HOME:-$HOME/.cargo}
target=wasm32-wasip1

pack() {
    CARGO_TARGET_DIR=$home/pack/target cargo run --quiet --release --locked \
        --manifest-path "$home/pack/Cargo.toml" -- "$@"
}

# Whether the target's std is there is tried, not asked of rustup: rustup does not know of a std that
# was put into the toolchain by other means.
compiles() {
    rustc --target "$target" --crate-type rlib --emit metadata -o "$1/empty" - <<< 'pub fn f() {}' 2> "$1/said"
}

# Says which std this is. Builds with different ones differ, so a rebuild is only compared with its own.
std_used() {
    local library origin=built
    library=$(echo "$(rustc --print target-libdir --target "$target")"/libstd-*.rlib)
    if rustup target list --installed 2> /dev/null | grep -qx "$target"; then
        origin=rustup
    fi
    echo "$origin, libstd sha256 $(sha256sum < "$library" | cut -c 1-64)"
}

# Builds packages into the target folder $1; paths of this machine, and of the registry that it
# fetches from, stay out of the modules. Each package is built by itself, so that its bytes do not
# depend on which were named beside it.
build() {
    local out=$1 package folder flags
    shift
    compiles "$work" || rustup target add "$target" || { cat "$work/said" >&2; exit 1; }
    cargo fetch --quiet --locked --target "$target"
    flags="'--remap-path-prefix=$here=/tools', '--remap-path-prefix=$out=/target'"
    for folder in "$cargo_home"/registry/src/*; do
        flags+=", '--remap-path-prefix=$folder=/deps'"
    done
    for package; do
        CARGO_TARGET_DIR=$out cargo build --locked --release --target "$target" \
            --config "target.$target.rustflags=[$flags]" --package="$package"
    done
}

verify=no
names=()
for argument; do
    case $argument in
        check) pack check "$here"; exit ;;
        --verify) verify=yes ;;
        -*) echo "build.sh: unknown option $argument" >&2; exit 64 ;;
        *) names+=("$argument") ;;
    esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packages=$(pack packages "$here" "${names[@]}")
mapfile -t packages <<< "$packages"
if [ $verify = yes ]; then
    out=$work/target
    action=verify
else
    out=${CARGO_TARGET_DIR:-$here/target}
    action=write
fi
build "$out" "${packages[@]}"
pack "$action" "$here" "$out/$target/release" "$(std_used)" "${names[@]}"
