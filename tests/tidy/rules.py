# SPDX-License-Identifier: GPL-3.0-or-later
"""The house rules that a program can check.

Each rule is a generator over a Tree that yields one Fault an offence; RULES lists them. They read
text, not syntax: clang-format has put every file into one form before, and that form is relied on
(a function's braces stand alone in the first column).
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Iterator, NamedTuple

# Each folder of src/ may include itself and those before it.
FOLDERS = ['base', 'dns', 'geo', 'zone', 'lint', 'format', 'steer', 'answer', 'probe', 'health',
           'dnssec', 'net', 'xfr', 'store', 'api', 'config', 'engine', 'cli', 'server']
# These two wire the others together and may include everything.
WIRING = {'cli', 'server'}

# Folders that know no socket, no thread, no time of day and no log: tests and simulations rely on
# it. (base/clock.h brings no time, only the seam for it.)
PURE = {'dns', 'geo', 'zone', 'lint', 'format', 'steer', 'answer'}
IMPURE_INCLUDES = {'base/log.h', 'sys/socket.h', 'sys/epoll.h', 'poll.h', 'time.h',
                   'sys/time.h', 'pthread.h', 'threads.h', 'uv.h', 'curl/curl.h', 'microhttpd.h'}
SILENT = PURE | {'base', 'probe', 'health', 'net', 'api'}

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LINE_WIDTH_MAX = 100
ESSAY_FROM_LINES = 150
ESSAY_LINES_MIN = 3

# function -> the one file that may call it (None: nobody), and what to use.
BANNED = {
    **{name: (None, 'snprintf') for name in ('sprintf', 'vsprintf', 'strcpy', 'strcat', 'stpcpy')},
    **{name: (None, 'memcpy with a checked size') for name in ('strncpy', 'strncat', 'alloca')},
    **{name: (None, 'strtol, with its errors') for name in ('atoi', 'atol', 'atoll', 'atof')},
    **{name: (None, 'strtok_r or strchr') for name in ('strtok', 'gets')},
    **{name: (None, 'base/hash.h') for name in ('rand', 'srand', 'random', 'srandom', 'drand48')},
    **{name: (None, 'mkstemp') for name in ('mktemp', 'tmpnam', 'tempnam')},
    **{name: (None, 'posix_spawn without a shell') for name in ('system', 'popen')},
    **{name: ('src/base/clock.c', 'base/clock.h')
       for name in ('time', 'gettimeofday', 'clock_gettime', 'clock')},
    **{name: ('src/base/memory.c', 'base/memory.h')
       for name in ('malloc', 'calloc', 'realloc', 'reallocarray', 'strdup', 'strndup',
                    'asprintf')},
}

# What comments name that is not ours.
FOREIGN = {'cmocka.h', 'sd_notify', 'close_notify', 'TIME_WAIT', 'ICMP_FILTER', 'BPF_PROG_TEST_RUN'}
# What stands for any name in a path.
ANY_NAME = re.compile('FOLDER|NAME|TARGET|[*]')

# Joined from pieces, so that this file does not offend.
MARKERS = ['TO' 'DO', 'FIX' 'ME', 'XX' 'X', 'HA' 'CK']
PLACES_OF_ONE_MACHINE = [
    '/wo' 'rk/', '/home' '/', '/Us' 'ers/', '/ro' 'ot/', '../sha' 'red', '.libr' 'ary',
    'deb.debian' '.org', 'npmjs' '.org', 'pypi' '.org', 'files.python' 'hosted',
]

CODE = ('.c', '.h')
SCRIPT = ('.py', '.sh')


class Fault(NamedTuple):
    path: str
    line: int
    message: str

    def __str__(self):
        return f'{self.path}:{self.line}: {self.message}'


class Tree:
    """The files under `root` that belong to the project: tracked, or new and not ignored."""

    def __init__(self, root: Path, paths: list[str] | None = None):
        self.root = root
        if paths is None:
            listed = subprocess.run(
                ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                cwd=root, check=True, capture_output=True).stdout.decode()
            paths = [path for path in listed.split('\0') if path]
        self.paths = sorted(path for path in set(paths) if (root / path).is_file())
        self.texts: dict[str, str] = {}

    def text(self, path: str) -> str:
        if path not in self.texts:
            self.texts[path] = (self.root / path).read_bytes().decode('utf-8', 'replace')
        return self.texts[path]

    def lines(self, path: str) -> list[str]:
        return self.text(path).splitlines()

    def begins(self, name: str) -> bool:
        """Whether it is a file or folder, with or without its ending."""
        return any(path.startswith(name) for path in self.paths)

    def has(self, path: str) -> bool:
        """Whether it is a file or folder of the tree."""
        return path in self.paths or any(other.startswith(path + '/') for other in self.paths)

    def find(self, *suffixes: str, under: str = '') -> list[str]:
        return [path for path in self.paths if path.endswith(suffixes) and path.startswith(under)]

    def hand_written(self, *suffixes: str, under: str = '') -> list[str]:
        return [path for path in self.find(*suffixes, under=under)
                if 'generated' not in '\n'.join(self.lines(path)[:3]).lower()]


def numbered(lines: list[str]) -> Iterator[tuple[int, str]]:
    return enumerate(lines, start=1)


def without_comments_and_strings(text: str) -> str:
    """The C text with comments and literals blanked; every line stays where it was."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda match: re.sub(r'[^\n]', ' ', match.group()), text)


def includes(tree: Tree, path: str) -> Iterator[tuple[int, str, bool]]:
    """Line, name, and whether it is one of ours (in quotes)."""
    for number, line in numbered(tree.lines(path)):
        if match := re.match(r'\s*#\s*include\s*(["<])([^">]+)', line):
            yield number, match[2], match[1] == '"'


def folder_of(path: str) -> str:
    """src/geo/x.c -> geo; src/main.c -> server, which is what it wires up."""
    parts = path.split('/')
    return parts[1] if len(parts) > 2 else 'server'


# --- the rules -----------------------------------------------------------------------------------

def include_order(tree: Tree) -> Iterator[Fault]:
    """A folder includes only itself and the folders before it."""
    for path in tree.find(*CODE, under='src/'):
        here = folder_of(path)
        if here not in FOLDERS:
            yield Fault(path, 1, f'src/{here}/ is no folder of the house (FOLDERS)')
            continue
        for number, name, ours in includes(tree, path):
            if not ours:
                continue
            there = name.split('/')[0]
            if '/' not in name or there not in FOLDERS:
                yield Fault(path, number, f'"{name}" is not of the form "folder/file"')
            elif not (tree.root / 'src' / name).exists():
                yield Fault(path, number, f'src/{name} does not exist')
            elif here not in WIRING and FOLDERS.index(there) > FOLDERS.index(here):
                yield Fault(path, number, f'{here}/ must not include {there}/, which is below it')


def pure_folders(tree: Tree) -> Iterator[Fault]:
    """Pure folders know no socket, clock, thread or log; libraries return, they do not log."""
    for path in tree.find(*CODE, under='src/'):
        here = folder_of(path)
        for number, name, _ in includes(tree, path):
            if here in PURE and name in IMPURE_INCLUDES:
                yield Fault(path, number, f'{here}/ is pure: no {name}')
            elif here in SILENT and name == 'base/log.h' and not path.startswith('src/base/log.'):
                yield Fault(path, number, f'{here}/ does not log: it returns')


def banned_functions(tree: Tree) -> Iterator[Fault]:
    """Calls that go wrong in the long run."""
    call = re.compile(r'(?<![\w.>])(' + '|'.join(BANNED) + r')\s*\(')
    for path in tree.find(*CODE, under='src/'):
        code = without_comments_and_strings(tree.text(path))
        for number, line in numbered(code.splitlines()):
            for match in call.finditer(line):
                home, instead = BANNED[match[1]]
                if path != home:
                    yield Fault(path, number, f'{match[1]}() is banned: use {instead}')


def one_gate(tree: Tree) -> Iterator[Fault]:
    """Probes leave through the gate: nothing else of probe/ connects or sends to an address."""
    call = re.compile(r'(?<![\w.>])(connect|sendto|sendmsg|sendmmsg)\s*\(')
    for path in tree.find(*CODE, under='src/probe/'):
        if path == 'src/probe/gate.c':
            continue
        code = without_comments_and_strings(tree.text(path))
        for number, line in numbered(code.splitlines()):
            if match := call.search(line):
                yield Fault(path, number, f'{match[1]}() past the gate: use probe/gate.h')


def no_thread_local_arrays(tree: Tree) -> Iterator[Fault]:
    """No array is thread-local: every thread would have its pages. Scratch is passed along."""
    for path in tree.find(*CODE, under='src/'):
        text = without_comments_and_strings(tree.text(path))
        for match in re.finditer(r'\b(?:_Thread_local|__thread|thread_local)\b[^;={(]*\[', text):
            yield Fault(path, text.count('\n', 0, match.start()) + 1, 'a thread-local array')


def function_length(tree: Tree) -> Iterator[Fault]:
    """A function fits on a screen."""
    for path in tree.hand_written('.c'):
        start = 0
        for number, line in numbered(tree.lines(path)):
            if line == '{':
                start = number
            elif line == '}' and start:
                size = number - start + 1
                if size > FUNCTION_LINES_MAX:
                    yield Fault(path, start, f'function of {size} lines; {FUNCTION_LINES_MAX} fit')
                start = 0


def file_length(tree: Tree) -> Iterator[Fault]:
    """A file is one subject."""
    for path in tree.hand_written(*CODE, *SCRIPT):
        size = len(tree.lines(path))
        if size > FILE_LINES_MAX:
            yield Fault(path, size, f'file of {size} lines; {FILE_LINES_MAX} fit')


def line_width(tree: Tree) -> Iterator[Fault]:
    """Two files fit side by side."""
    for path in tree.hand_written(*CODE, *SCRIPT, 'dev'):
        for number, line in numbered(tree.lines(path)):
            if len(line) > LINE_WIDTH_MAX:
                yield Fault(path, number, f'{len(line)} columns; {LINE_WIDTH_MAX} fit')


def clean_whitespace(tree: Tree) -> Iterator[Fault]:
    """No tabs in code, no blanks at the end of a line, a newline at the end of the file."""
    for path in tree.find(*CODE, *SCRIPT, 'meson.build', '.md', '.yaml', 'dev'):
        text = tree.text(path)
        if text and not text.endswith('\n'):
            yield Fault(path, text.count('\n') + 1, 'no newline at the end of the file')
        for number, line in numbered(text.split('\n')):
            if line != line.rstrip():
                yield Fault(path, number, 'blanks at the end of the line')
            if '\t' in line and path.endswith(CODE + SCRIPT):
                yield Fault(path, number, 'a tab')


def spdx_line(tree: Tree) -> Iterator[Fault]:
    """Every source file says its licence first (a script after its interpreter)."""
    for path in tree.find(*CODE, *SCRIPT, 'dev', '.ci/run'):
        lines = [line for line in tree.lines(path)[:2] if not line.startswith('#!')]
        if not lines or 'SPDX-License-Identifier: GPL-3.0-or-later' not in lines[0]:
            yield Fault(path, 1, 'the first line must be the SPDX line')


def no_markers(tree: Tree) -> Iterator[Fault]:
    """What is not done is an issue, not a comment."""
    marker = re.compile(r'\b(' + '|'.join(MARKERS) + r')\b')
    for path in tree.find(*CODE, *SCRIPT, 'meson.build', 'dev'):
        for number, line in numbered(tree.lines(path)):
            if match := marker.search(line):
                yield Fault(path, number, f'a {match[1]}: do it, or open an issue')


def pragma_once(tree: Tree) -> Iterator[Fault]:
    """Headers guard themselves."""
    for path in tree.hand_written('.h'):
        if '#pragma once' not in tree.lines(path):
            yield Fault(path, 1, 'no #pragma once')


def documented_headers(tree: Tree) -> Iterator[Fault]:
    """Every paragraph of a public header that declares a function has a comment in it."""
    prototype = re.compile(r'^(?!static|typedef|#|//|\s|extern|_Static_assert)[\w*\s]+\(')
    for path in tree.hand_written('.h', under='src/'):
        paragraph: list[tuple[int, str]] = []
        for number, line in [*numbered(tree.lines(path)), (0, '')]:
            if line:
                paragraph.append((number, line))
                continue
            first = next((n for n, text in paragraph if prototype.match(text)), None)
            if first and not any('//' in text for _, text in paragraph):
                yield Fault(path, first, 'a public function without a comment above it')
            paragraph = []


def opening_essay(tree: Tree) -> Iterator[Fault]:
    """A longer file begins by saying what it owns, who calls it, and what it guarantees."""
    for path in tree.hand_written('.c', under='src/'):
        lines = tree.lines(path)
        essay = 0
        while essay < len(lines) and lines[essay].startswith('//'):
            essay += 1
        if len(lines) > ESSAY_FROM_LINES and essay - 1 < ESSAY_LINES_MIN:
            yield Fault(path, 2, f'{len(lines)} lines and no comment block at the top')


def listed_in_meson(tree: Tree) -> Iterator[Fault]:
    """No source file and no test lies about unbuilt."""
    for path in tree.find('.c', under='src/') + tree.find('.c', under='tests/'):
        file = Path(path)
        build = file.parent / 'meson.build'
        text = ''
        for folder in [file.parent, *file.parent.parents][:3]:
            if str(folder / 'meson.build') in tree.paths:
                text += tree.text(str(folder / 'meson.build'))
        names = {file.name, file.stem, file.stem.removeprefix('test_'),
                 file.stem.removeprefix('fuzz_')}
        if not any(re.search(rf"['/]{re.escape(name)}'", text) for name in names):
            yield Fault(path, 1, f'not listed in {build}')


def no_places_of_one_machine(tree: Tree) -> Iterator[Fault]:
    """The project stands alone: no path of one machine, no address of a registry or mirror."""
    for path in tree.paths:
        if b'\0' in (tree.root / path).read_bytes()[:8000] or path == 'LICENSE':
            continue
        for number, line in numbered(tree.lines(path)):
            for place in PLACES_OF_ONE_MACHINE:
                if re.search(rf'(?<![\w$}}]){re.escape(place)}', line):
                    yield Fault(path, number, f'"{place}" exists on one machine only')


def heading_anchor(heading: str) -> str:
    """As forges make it: lower case, punctuation left out, dashes for blanks."""
    text = re.sub(r'[`*]|\[([^\]]*)\]\([^)]*\)', r'\1', heading.lower())
    return re.sub(r'[^\w\- ]', '', text).strip().replace(' ', '-')


def links_lead_somewhere(tree: Tree) -> Iterator[Fault]:
    """A relative link of a document leads to a file or folder of the tree, and to its heading."""
    link = re.compile(r'\[[^\]]*\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)')
    for path in tree.find('.md'):
        for number, line in numbered(tree.lines(path)):
            for target, anchor in link.findall(line):
                there = os.path.normpath(Path(path).parent / target) if target else path
                if not tree.has(there):
                    yield Fault(path, number, f'the link to {target} leads nowhere')
                elif anchor and anchor not in {heading_anchor(heading) for heading in re.findall(
                        r'^#+ (.*)$', tree.text(there), re.M)}:
                    yield Fault(path, number, f'{there} has no heading "#{anchor}"')


def named_files_exist(tree: Tree) -> Iterator[Fault]:
    """What a comment or a document names is there: folder/file, or the name of a source file."""
    names = {Path(path).name for path in tree.paths}
    place = re.compile(r'(?<![\w./*-])((?:src|tests|docs|scripts|bench|examples)/[\w./*-]*\w)')
    source = re.compile(r'(?<![\w/.<*-])([a-z]\w*\.[ch])\b')
    for path in tree.find(*CODE, *SCRIPT, '.md', 'meson.build', 'dev'):
        for number, line in numbered(tree.lines(path)):
            text = line if path.endswith('.md') else ''.join(re.findall(r'(?://|#) .*', line))
            for named in place.findall(text):
                if not ANY_NAME.search(named) and not tree.begins(named):
                    yield Fault(path, number, f'{named} is not there')
            for named in source.findall(text) if path.endswith(CODE) else ():
                if named not in names | FOREIGN:
                    yield Fault(path, number, f'there is no {named}')

def named_things_exist(tree: Tree) -> Iterator[Fault]:
    """What a comment of ours calls some_thing stands in the code, or is the stem of a file."""
    thing = re.compile(r'(?<![\w.-])[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+(?![\w*])')
    sources = tree.find(*CODE)
    known = FOREIGN | {Path(path).stem for path in tree.paths}
    for path in sources:
        known.update(thing.findall(re.sub(r'//.*', '', tree.text(path))))
    for path in sources:
        for number, line in numbered(tree.lines(path)):
            for named in thing.findall(line.partition('//')[2]):
                if named not in known:
                    yield Fault(path, number, f'nothing is called {named}')


RULES = [include_order, pure_folders, banned_functions, one_gate, no_thread_local_arrays,
         function_length, file_length, line_width, clean_whitespace, spdx_line, no_markers,
         pragma_once, documented_headers, opening_essay, listed_in_meson,
         no_places_of_one_machine, links_lead_somewhere, named_files_exist,
         named_things_exist]
