# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes MMDB files: networks to records, as the format's specification has it."""

import ipaddress
import struct


def _control(kind: int, size: int) -> bytes:
    extended = b'' if kind < 8 else bytes([kind - 7])
    kind = kind if kind < 8 else 0
    if size < 29:
        return bytes([kind << 5 | size]) + extended
    if size < 285:
        return bytes([kind << 5 | 29]) + extended + bytes([size - 29])
    return bytes([kind << 5 | 30]) + extended + struct.pack('>H', size - 285)


def encode(value) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, float):
        return _control(3, 8) + struct.pack('>d', value)
    if isinstance(value, int):
        text = value.to_bytes((value.bit_length() + 7) // 8, 'big')
        return _control(6 if value < 2 ** 32 else 9, len(text)) + text
    if isinstance(value, list):
        return _control(11, len(value)) + b''.join(map(encode, value))
    return _control(7, len(value)) + b''.join(
        encode(key) + encode(item) for key, item in value.items())


def _metadata(node_count: int, version: int, bits: int, built: int) -> bytes:
    def number(kind, value):
        text = value.to_bytes((value.bit_length() + 7) // 8, 'big')
        return _control(kind, len(text)) + text
    fields = {'node_count': number(6, node_count), 'record_size': number(5, bits),
              'ip_version': number(5, version), 'database_type': encode('Test'),
              'languages': encode(['en']), 'binary_format_major_version': number(5, 2),
              'binary_format_minor_version': number(5, 0), 'build_epoch': number(9, built),
              'description': encode({'en': 'test'})}
    return _control(7, len(fields)) + b''.join(
        encode(key) + value for key, value in fields.items())


def write(networks: dict, version: int = 4, bits: int = 24, built: int = 1700000000) -> bytes:
    """{'192.0.2.0/24': {...}}; narrower networks behind the wider ones that they are in."""
    nodes, data, offsets = [[None, None]], b'', {}
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        path = f'{int(network.network_address):0{network.max_prefixlen}b}'[:network.prefixlen]
        if version == 6 and network.version == 4:
            path = '0' * 96 + path
        body = encode(record)
        if body not in offsets:
            offsets[body] = len(data)
            data += body
        at = 0
        for bit in path[:-1]:
            below = nodes[at][int(bit)]
            if not isinstance(below, int):  # data of a wider network goes to both sides
                nodes.append([below, below])
                below = nodes[at][int(bit)] = len(nodes) - 1
            at = below
        nodes[at][int(path[-1])] = (offsets[body],)
    tree = bytearray()
    for node in nodes:
        left, right = (len(nodes) if side is None else
                       side if isinstance(side, int) else len(nodes) + 16 + side[0]
                       for side in node)
        if bits == 28:
            tree += (left & 0xffffff).to_bytes(3, 'big')
            tree += bytes([left >> 24 << 4 | right >> 24])
            tree += (right & 0xffffff).to_bytes(3, 'big')
        else:
            tree += left.to_bytes(bits // 8, 'big') + right.to_bytes(bits // 8, 'big')
    return bytes(tree) + bytes(16) + data + b'\xab\xcd\xefMaxMind.com' + _metadata(
        len(nodes), version, bits, built)
