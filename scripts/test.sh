#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs the test suites and counts. Each suite is a function suite_NAME that leaves JUnit files in
# build/results/NAME*.xml; scripts/count-results.py tells why what failed and sums them up. A suite
# that cannot even run (a build that fails) counts as one failure. The last line on standard output
# is the sum.
#
# Usage: scripts/test.sh [SUITE...]      default: all of them, in the order below

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
source scripts/common.sh

readonly python=/usr/bin/python3
readonly results=$PWD/build/results
readonly suites=(release sanitizers tidy func interop)

# Any finding of a sanitizer ends the program with an exit status that no test takes for success.
export ASAN_OPTIONS=exitcode=99:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:exitcode=99
export TSAN_OPTIONS=halt_on_error=1:exitcode=99:second_deadlock_stack=1
export PYTHONDONTWRITEBYTECODE=1

# setup DIRECTORY COMPILER OPTION...: makes the build directory, or brings its options up to date.
setup() {
    local directory=$1 compiler=$2
    shift 2
    if [[ -f $directory/build.ninja ]]; then
        quietly "setting up $directory/" meson configure "$directory" -Dtests=enabled "$@"
    else
        quietly "setting up $directory/" \
            env CC="$compiler" meson setup "$directory" -Dtests=enabled "$@"
    fi
}

# meson_suite NAME DIRECTORY [ARGUMENT...]
meson_suite() {
    local name=$1 directory=$2 status=0
    shift 2
    quietly "building $directory/" ninja -C "$directory" || return 1
    rm -f "$directory/meson-logs/"testlog.{junit.xml,json}
    meson test -C "$directory" --no-rebuild --print-errorlogs "$@" >&2 </dev/null || status=$?
    cp "$directory/meson-logs/testlog.junit.xml" "$results/$name.xml" || return 1
    cp "$directory/meson-logs/testlog.json" "$results/$name.json" || return 1
    return "$status"
}

pytest_suite() {
    local name=$1
    shift
    "$python" -m pytest -q -p no:cacheprovider --junitxml="$results/$name.xml" \
        -o junit_logging=all -o junit_log_passing_tests=false "$@" >&2 </dev/null
}

suite_release() {
    setup build "${CC:-gcc}" && meson_suite release build
}

sanitizer_builds() {
    local common=(-Db_lundef=false -Dbuildtype=debugoptimized)
    setup build-test-asan clang -Db_sanitize=address,undefined "${common[@]}" &&
        setup build-test-tsan clang -Db_sanitize=thread "${common[@]}"
}

suite_sanitizers() {
    local status=0
    sanitizer_builds || return 1
    meson_suite asan build-test-asan --timeout-multiplier 4 || status=1
    # Simulations and corpus replays have one thread: nothing for this sanitizer to see.
    meson_suite tsan build-test-tsan --timeout-multiplier 6 --no-suite sim --no-suite fuzz ||
        status=1
    return "$status"
}

suite_tidy() {
    [[ -f build-test-asan/compile_commands.json ]] || sanitizer_builds || return 1
    pytest_suite tidy tests/tidy
}

# Whole-daemon tests on the release binary; those marked `sanitizer` also on the other two. The
# three run side by side: what they do most of the time is wait.
suite_func() {
    local status=0 build runs=() run
    [[ -n $(find tests/func -name 'test_*.py') ]] || return 0
    [[ -x build/signpost ]] || return 1
    pytest_suite func tests/func &
    runs+=($!)
    for build in asan tsan; do
        [[ -x build-test-$build/signpost ]] || continue
        SIGNPOST_BIN=$PWD/build-test-$build/signpost \
            pytest_suite "func-$build" -m sanitizer tests/func &
        runs+=($!)
    done
    for run in "${runs[@]}"; do
        wait "$run" || status=1
    done
    return "$status"
}

# Comparisons with other programs and with the real data, where there is any.
suite_interop() {
    [[ -n $(find tests/interop -name 'test_*.py') ]] || return 0
    scripts/geo.sh >/dev/null || say "no geo data: its tests will be skipped"
    pytest_suite interop tests/interop
}

main() {
    local suite wanted=("$@") broken=() start=$SECONDS begin
    [[ ${#wanted[@]} -gt 0 ]] || wanted=("${suites[@]}")
    for suite in "${wanted[@]}"; do
        [[ " ${suites[*]} " == *" $suite "* ]] || die "there is no suite $suite; ${suites[*]}"
    done
    rm -rf "$results"
    mkdir -p "$results"
    for suite in "${wanted[@]}"; do
        begin=$SECONDS
        say
        say "== $suite"
        "suite_$suite" || broken+=("$suite")
        say "== $suite took $((SECONDS - begin)) s"
    done
    say
    say "all took $((SECONDS - start)) s"
    "$python" scripts/count-results.py "$results" "${broken[@]}"
}

main "$@"
