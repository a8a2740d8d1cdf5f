#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Proves that a fresh Debian with bash, apt and git is enough: makes such a root with debootstrap,
# clones what is committed into it, and runs `./dev test` and `./dev run` there.
#
#   scripts/bare-root.sh [test] [run]     default: both
#   SIGNPOST_BARE_SUITE=bookworm          the Debian release
#
# How this machine reaches its mirror and its npm registry (proxies, certificates, npm's
# configuration) is copied into the root when it runs; nothing of it is kept. The base system is
# kept in the cache as a tarball. Needs root (chroot, mounts); works in a mount and process
# namespace of its own, so that nothing outlives it.

set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

readonly suite=${SIGNPOST_BARE_SUITE:-bookworm}
readonly test_limit_s=1500 run_limit_s=600
repository=$PWD
tarball=$(cache_dir)/bare/$suite-$(dpkg --print-architecture).tar.gz

mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(CODENAME) $(ORIGIN) $(REPO_URI)' 'Identifier: Packages' |
        awk -v suite="$suite" '$1 == suite && $2 == "Debian" { print $3; exit }'
}

make_base() {
    local from base
    packages_install debootstrap
    from=$(mirror)
    [[ -n $from ]] || die "apt has no source of Debian $suite to take a mirror from"
    base=$(mktemp -d /var/tmp/signpost-base.XXXXXX)
    # shellcheck disable=SC2064
    trap "rm -rf '$base'" EXIT
    quietly "making a bare $suite" \
        debootstrap --variant=minbase --include=bash,git,ca-certificates "$suite" "$base" "$from"
    rm -f "$base"/var/cache/apt/archives/*.deb
    mkdir -p "$(dirname "$tarball")"
    tar -czf "$tarball.part" -C "$base" .
    mv "$tarball.part" "$tarball"
    rm -rf "$base"
    trap - EXIT
}

# How this machine reaches the outside.
copy_environment() {
    local root=$1 file
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    apt-config dump | grep -E '^Acquire::(https?|ftp|Check-Valid-Until|Check-Date)' \
        >"$root/etc/apt/apt.conf.d/99host" || true
    for file in /etc/apt/auth.conf /etc/apt/auth.conf.d; do
        if [[ -e $file ]]; then cp -a "$file" "$root/etc/apt/"; fi
    done
    if [[ -d /usr/local/share/ca-certificates ]]; then
        cp -r /usr/local/share/ca-certificates "$root/usr/local/share/"
        chroot "$root" update-ca-certificates >/dev/null 2>&1
    fi
    if command -v npm >/dev/null; then
        file=$(npm config get userconfig 2>/dev/null)
        if [[ -f $file ]]; then cp "$file" "$root/root/.npmrc"; fi
        file=$(npm config get globalconfig 2>/dev/null)
        if [[ -f $file ]]; then cp "$file" "$root/etc/npmrc"; fi
    fi
}

# Becomes a command in the root, with an empty environment but for what reaches the outside.
enter() {
    local root=$1 passed
    shift
    mapfile -t passed < <(env | grep -iE '^(https?_proxy|no_proxy|npm_config_[a-z_]+)=' || true)
    exec chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
        CI=true "${passed[@]}" "$@"
}

prove_test() {
    local root=$1 last
    (enter "$root" timeout "$test_limit_s" /srv/signpost/.ci/run) </dev/null |
        tee "$root/srv/test.out" || true
    last=$(tail -n 1 "$root/srv/test.out")
    [[ $last =~ ^[0-9]+\ passed,\ 0\ failed$ ]] || die "./dev test ended with: $last"
}

# Asks for a name until somebody answers.
prove_run() {
    local root=$1 start=$SECONDS job answer='' log=$1/srv/run.log
    enter "$root" /srv/signpost/dev run </dev/null >"$log" 2>&1 &
    job=$!
    while [[ -z $answer ]]; do
        if ! kill -0 "$job" 2>/dev/null || ((SECONDS - start > run_limit_s)); then
            cat "$log" >&2
            die "./dev run did not come to answer"
        fi
        sleep 1
        # Before the packages are in, there is no dig.
        answer=$(enter "$root" dig @127.0.0.1 -p 5300 +short +time=1 +tries=1 www.example.com \
            2>/dev/null | grep -v '^;' || true)
    done
    cat "$log"
    echo "answers after $((SECONDS - start)) s"
    local question
    for question in "@127.0.0.1 www.example.com" "@::1 www.example.com AAAA +tcp" \
        "@127.0.0.1 lines.example.com +subnet=202.96.209.133/32" \
        "@127.0.0.1 lines.example.com +subnet=210.22.84.3/32" \
        "@127.0.0.1 lines.example.com +subnet=240e::1/128" \
        "@127.0.0.1 lines.example.com +subnet=2408:8000::1/128" \
        "@127.0.0.1 lines.example.com +subnet=8.8.8.8/32"; do
        # shellcheck disable=SC2086
        answer=$(enter "$root" dig -p 5300 +short +time=2 $question | tr '\n' ' ')
        printf '%-60s %s\n' "dig $question" "$answer"
        [[ -n $answer && $answer != *";"* ]] || die "no answer"
    done
    start=$SECONDS
    # ./dev became the server, as its foreground says.
    kill -TERM "$job"
    wait "$job" || die "the server ended with status $?"
    echo "ended after $((SECONDS - start)) s"
}

# In the namespace: makes the root, proves, removes it.
main_inside() {
    local root=$1 proof
    shift
    mount --make-rprivate /
    tar -xzf "$tarball" -C "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t tmpfs tmpfs "$root/tmp"
    copy_environment "$root"
    git clone -q --no-hardlinks "$repository" "$root/srv/signpost"
    chown -R 0:0 "$root/srv/signpost"
    for proof in "$@"; do
        say "== ./dev $proof in a bare $suite"
        "prove_$proof" "$root"
    done
}

main() {
    local proof root status=0
    if [[ ${1:-} == --inside ]]; then
        shift
        main_inside "$@"
        return
    fi
    [[ $# -gt 0 ]] || set -- run test
    for proof in "$@"; do
        [[ $proof == test || $proof == run ]] || die "there is no proof \"$proof\": test, run"
    done
    [[ $(id -u) -eq 0 ]] || die "this needs root: it mounts and changes roots"
    if [[ -n $(git status --porcelain --untracked-files=no) ]]; then
        say "note: what is not committed is not proved"
    fi
    [[ -f $tarball ]] || make_base
    root=$(mktemp -d /var/tmp/signpost-bare.XXXXXX)
    unshare --mount --mount-proc --pid --fork --kill-child \
        scripts/bare-root.sh --inside "$root" "$@" || status=$?
    # The mounts went with the namespace; one file system is all that is left.
    rm -rf --one-file-system "$root"
    return "$status"
}

main "$@"
