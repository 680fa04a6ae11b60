# Sourced by the scripts beside it: runs named steps, times each, and says at the end how all went.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.."

steps_failed=()
steps_began=$SECONDS
steps_said=$(mktemp -d)
trap 'rm -rf "$steps_said"' EXIT

# step NAME COMMAND [WORD...]: runs one step; a failing one does not hide those after it.
step() {
    local name=$1 began=$SECONDS status=0
    shift
    printf '\n=== %s\n' "$name"
    # A function's errors end it only outside a condition, so it gets a shell of its own.
    set +e
    (set -euo pipefail; "$@") 2>&1 | tee "$steps_said/${#steps_failed[@]}"
    status=${PIPESTATUS[0]}
    set -e
    if [ "$status" = 0 ]; then
        printf '=== %s: passed in %d s\n' "$name" $((SECONDS - began))
    else
        printf '=== %s: FAILED with status %d after %d s\n' "$name" "$status" $((SECONDS - began))
        steps_failed+=("$name")
    fi
}

# skip NAME REASON: names what this machine or tree cannot check.
skip() {
    printf '\n=== %s: SKIPPED, %s\n' "$1" "$2"
}

# finish: the verdict; fails when a step failed.
finish() {
    printf '\n=== %d s in all\n' $((SECONDS - steps_began))
    if [ ${#steps_failed[@]} != 0 ]; then
        # Once more at the end, where it is found: the output of a long run is often kept in part.
        local number
        for number in "${!steps_failed[@]}"; do
            printf '\n=== the end of what "%s" said:\n' "${steps_failed[$number]}"
            tail -n 60 "$steps_said/$number"
        done
        printf '=== FAILED: %s\n' "${steps_failed[@]}"
        exit 1
    fi
    echo '=== all passed'
}
