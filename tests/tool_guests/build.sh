#!/bin/bash
# Builds the tools that tests bring, as examples/tools/build.sh does; takes the same words.
exec "$(dirname "$0")/../../examples/tools/build.sh" --in "$(dirname "$0")" "$@"
