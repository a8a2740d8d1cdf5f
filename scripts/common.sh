# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# What ./dev and the scripts share: messages, packages, places. To be sourced, from the root.

# Where downloads and other things that are costly to make are kept between runs and clones.
cache_dir() {
    local home=~
    echo "${SIGNPOST_CACHE:-${XDG_CACHE_HOME:-$home/.cache}/signpost}"
}

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "dev: $*"
    exit 1
}

# Shows how long a step has been going on, until it is killed or its parent is gone.
tick() {
    local title=$1 start=$SECONDS
    while kill -0 $$ 2>/dev/null; do
        printf '\r%s ... %d s ' "$title" $((SECONDS - start)) >&2
        sleep 0.3
    done
}

# Runs a command with its output kept; shows the seconds on a terminal, and the output if it fails.
quietly() {
    local title=$1 log status=0 ticker=''
    shift
    log=$(mktemp)
    if [[ -t 2 ]]; then
        tick "$title" &
        ticker=$!
    else
        say "$title ..."
    fi
    "$@" >"$log" 2>&1 </dev/null || status=$?
    if [[ -n $ticker ]]; then
        kill "$ticker"
        wait "$ticker" 2>/dev/null || true
        say
    fi
    if [[ $status -ne 0 ]]; then
        cat "$log" >&2
        say "failed: $*"
    fi
    rm -f "$log"
    return "$status"
}

packages_of() {
    cat "$@" | sed -e 's/#.*//' -e '/^[[:space:]]*$/d'
}

packages_missing() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            echo "$package"
    done
}

# Installs what is missing of the named packages, as root or through sudo.
packages_install() {
    local missing as_root=()
    if ! command -v apt-get dpkg-query >/dev/null; then
        say "dev: this is no Debian: please see to the likes of: $*"
        return 0
    fi
    mapfile -t missing < <(packages_missing "$@")
    [[ ${#missing[@]} -eq 0 ]] && return 0
    if [[ $(id -u) -ne 0 ]]; then
        if ! command -v sudo >/dev/null; then
            say "dev: packages are missing and there is no sudo; as root, please run"
            say "  apt-get install --no-install-recommends ${missing[*]}"
            return 1
        fi
        # Asks for the password now, where it can be seen.
        sudo -v || return 1
        as_root=(sudo)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
    quietly "looking up ${#missing[@]} missing packages" "${as_root[@]}" update || return 1
    quietly "installing ${missing[*]}" \
        "${as_root[@]}" install -y --no-install-recommends "${missing[@]}"
}
