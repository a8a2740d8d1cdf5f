#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the generated pages below FOLDER (docs/ of the source tree by default):
#   scripts/reference.sh BINARY [FOLDER]
# With --check instead of FOLDER: makes them elsewhere and fails when the tree's differ.
set -eu

usage() {
    echo "usage: scripts/reference.sh BINARY [FOLDER | --check]" >&2
    exit 2
}

[ $# -ge 1 ] && [ $# -le 2 ] || usage
binary=$1
docs=$(cd "$(dirname "$0")/../docs" && pwd)
target=${2:-$docs}

make_pages() {
    mkdir -p "$1/reference" "$1/man"
    for page in options commands routes events metrics lint checks limits; do
        "$binary" reference "$page" >"$1/reference/$page.md"
    done
    "$binary" reference man-commands >"$1/man/signpost.8"
    "$binary" reference man-options >"$1/man/signpost.yaml.5"
}

if [ "$target" != --check ]; then
    make_pages "$target"
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
make_pages "$scratch"
failed=0
for page in reference/options.md reference/commands.md reference/routes.md reference/events.md \
    reference/metrics.md reference/lint.md reference/checks.md reference/limits.md man/signpost.8 \
    man/signpost.yaml.5; do
    diff -u "$docs/$page" "$scratch/$page" || failed=1
done
[ "$failed" -eq 0 ] || echo "generated pages are out of date: run scripts/reference.sh $binary" >&2
exit "$failed"
