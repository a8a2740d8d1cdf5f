#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the tables of src/geo/tables.h out of the TSV files beside it.

usage: geo_tables.py FOLDER OUTPUT.c

Run by the build. Refuses wrong data with file and line, so that the C side need not check it.
"""

import ipaddress
import re
import sys
from pathlib import Path


def fail(path, number, text):
    sys.exit(f"{path}:{number}: error: {text}")


def rows(path, columns):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != columns:
            fail(path, number, f"{len(fields)} columns, expected {columns}")
        yield number, [field.strip() for field in fields]


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def initialiser(fields):
    return "    {" + ", ".join(fields) + "},"


def array(kind, name, entries):
    return [f"const struct {kind} {name}[] = {{"] + entries + ["};",
            f"const size_t {name}_count = ARRAY_SIZE({name});", ""]


def read_countries(path):
    found = {}
    for number, (code, continent, _name, aliases) in rows(path, 4):
        if not re.fullmatch("[A-Z]{2}", code) or code in found:
            fail(path, number, f"'{code}' is no country code or is listed twice")
        if continent not in ("AF", "AN", "AS", "EU", "NA", "OC", "SA"):
            fail(path, number, f"unknown continent '{continent}'")
        found[code] = (continent, aliases)
    return found


def read_regions(path, countries):
    regions, names = [], {}
    for number, (country, code, stems, texts, aliases) in rows(path, 5):
        if country not in countries or not re.fullmatch("[A-Z0-9]{1,3}", code):
            fail(path, number, f"wrong country or region '{country}-{code}'")
        regions.append((country, code, stems, aliases))
        for text in [code] + texts.split("|"):
            # As geo_region_code folds what it is asked: ASCII only.
            key = (country, "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text))
            if names.get(key, code) != code:
                fail(path, number, f"'{text}' already names {country}-{names[key]}")
            names[key] = code
    return sorted(regions), names


def read_lines(path, countries):
    found, isps = [], {}
    for number, fields in rows(path, 8):
        kind, name, continent, country, within, stems, short, aliases = fields
        if kind not in ("default", "overseas", "continent", "isp"):
            fail(path, number, f"unknown kind '{kind}'")
        if country not in ("", "-") and country not in countries:
            fail(path, number, f"unknown country '{country}'")
        if within and within not in [line[1] for line in found]:
            fail(path, number, f"'{within}' is not a line above this one")
        if kind == "isp":
            isps[name] = (len(isps) + 1, country)
        found.append((f"LINE_{kind.upper()}", name, continent, country, within, stems, short,
                      aliases))
    return found, isps


def read_facts(path, isps):
    asns, patterns, networks = {}, [], []
    for number, (isp, fact, value) in rows(path, 3):
        if isp not in isps:
            fail(path, number, f"unknown ISP '{isp}'")
        index, country = isps[isp]
        if fact == "asn":
            if not re.fullmatch("[1-9][0-9]{0,9}", value) or int(value) in asns:
                fail(path, number, f"'{value}' is no AS number or is listed twice")
            asns[int(value)] = index
        elif fact == "name":
            if not country:
                fail(path, number, "a name pattern needs an ISP with a country")
            re.compile(value)
            patterns.append((index, value))
        elif fact == "network":
            network = ipaddress.ip_network(value)
            for other, _ in networks:
                if network.version == other.version and network.overlaps(other):
                    fail(path, number, f"{network} overlaps {other}")
            networks.append((network, index))
        else:
            fail(path, number, f"unknown fact '{fact}'")
    return asns, patterns, networks


def prefix(network):
    packed = ", ".join(str(byte) for byte in network.network_address.packed)
    return f"{{{{{network.version}, {{{packed}}}}}, {network.prefixlen}}}"


def main():
    folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    countries = read_countries(folder / "countries.tsv")
    regions, names = read_regions(folder / "regions.tsv", countries)
    lines, isps = read_lines(folder / "lines.tsv", countries)
    asns, patterns, networks = read_facts(folder / "isps.tsv", isps)

    text = ["// Made by scripts/geo_tables.py from src/geo/*.tsv.", '#include "geo/tables.h"', ""]
    text += array("line_row", "line_rows", [
        initialiser([line[0]] + [quote(field) for field in line[1:]]) for line in lines])
    text += array("country_row", "country_rows", [
        initialiser([quote(code), quote(continent), quote(aliases)])
        for code, (continent, aliases) in sorted(countries.items())])
    text += array("region_row", "region_rows", [
        initialiser([quote(field) for field in region]) for region in regions])
    text += array("region_name_row", "region_name_rows", [
        initialiser([quote(country), quote(code), quote(name)])
        for (country, name), code in sorted(names.items(),
                                            key=lambda item: (item[0][0], item[0][1].encode()))])
    text += array("isp_asn_row", "isp_asn_rows", [
        initialiser([str(asn), str(index)]) for asn, index in sorted(asns.items())])
    text += array("isp_pattern_row", "isp_pattern_rows", [
        initialiser([str(index), quote(value)]) for index, value in patterns])
    text += array("isp_network_row", "isp_network_rows", [
        initialiser([prefix(network), str(index)]) for network, index in sorted(
            networks, key=lambda item: (item[0].version, item[0]))])
    output.write_text("\n".join(text), encoding="utf-8")


main()
