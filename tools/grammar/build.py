"""Make `sluice/warehouse/grammar.json.gz` from Trino's grammar: `python tools/grammar/build.py JAR`.

The jar is `io.trino:trino-grammar:476:jar:sources` of Maven Central (Apache-2.0, see NOTICE). It holds what ANTLR made
of `SqlBase.g4`: the automata of lexer and parser, and the names of tokens and rules. No code is taken from it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

VERSION = "476"
SHA256 = "4863d2aaf26bf0f2825496b9649df42130c249d68d32dbbecd9ee14dd0c0a345"
TARGET = Path(__file__).parents[2] / "sluice" / "warehouse" / "grammar.json.gz"
_FOLDER = "io/trino/grammar/sql/"
_NON_RESERVED_RULE = "nonReserved"


def grammar_of(jar: Path) -> bytes:
    """Return the content of `grammar.json.gz`. Raises ValueError if the jar is not the one that is pinned."""
    if (found := hashlib.sha256(jar.read_bytes()).hexdigest()) != SHA256:
        raise ValueError(f"{jar} is not trino-grammar-{VERSION}-sources.jar: its SHA-256 is {found}")
    with zipfile.ZipFile(jar) as packed:
        lexer = _sections(packed.read(f"{_FOLDER}SqlBaseLexer.interp").decode())
        parser = _sections(packed.read(f"{_FOLDER}SqlBase.interp").decode())
        source = packed.read(f"{_FOLDER}SqlBaseParser.java").decode()
    document = {
        "lexer": json.loads("".join(lexer["atn"])),
        "parser": json.loads("".join(parser["atn"])),
        "literals": parser["token literal names"],
        "tokens": parser["token symbolic names"],
        "rules": parser["rule names"],
        "reserved": _reserved(parser["token literal names"], source),
    }
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)


def _sections(text: str) -> Mapping[str, Sequence[str]]:
    """Split ANTLR's `.interp` file: a title that ends with a colon, then its lines."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        if re.fullmatch(r"[a-z ]+:", line):
            lines = found.setdefault(line[:-1], [])
        elif line:
            lines.append(line)
    return found


def _reserved(literals: Sequence[str], source: str) -> Sequence[str]:
    """List the words of the grammar that its rule of non-reserved words does not name."""
    words = {literal.strip("'") for literal in literals if re.fullmatch(r"'[A-Z_]+'", literal)}
    context = source.partition("class NonReservedContext")[2].partition("public NonReservedContext(")[0]
    return sorted(words - set(re.findall(r"TerminalNode (\w+)\(\)", context)))


if __name__ == "__main__":
    TARGET.write_bytes(grammar_of(Path(sys.argv[1])))
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")
