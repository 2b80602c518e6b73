"""Random typed expressions over the table `battery`: what an analyst might nest, three deep, from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

_COLUMNS = {"i": ["i", "id"], "b": ["b"], "x": ["x"], "m": ["m"], "t": ["t"], "f": ["f"], "d": ["d"], "s": ["ts"]}
_LITERALS = {
    "i": ["0", "1", "2", "3", "-1", "-7", "10", "100"],
    "b": ["CAST(5 AS bigint)", "3000000000", "-4000000000"],
    "x": ["1.5e0", "-2.5e0", "0e0", "1e3", "0.1e0"],
    "m": ["1.5", "-0.05", "10.25", "0.001", "2.50"],
    "t": ["'a'", "''", "'Ab c'", "'p'", "'\u00e4\u00f6'", "' '", "'2024-02-29'"],
    "f": ["true", "false"],
    "d": ["DATE '2024-02-29'", "DATE '2023-12-31'", "DATE '1969-12-29'"],
    "s": [
        "TIMESTAMP '2024-02-29 23:59:59'",
        "TIMESTAMP '1969-12-31 23:59:59'",
        "TIMESTAMP '2024-12-30 12:30:00'",
    ],
}
# One template a line; {x} is an expression of that type, [a|b] one of the words.
_TEMPLATES = {
    "*": ["coalesce({=}, {=})", "if({f}, {=}, {=})", "CASE WHEN {f} THEN {=} ELSE {=} END", "nullif({=}, {=})"],
    "i": [
        *["({i} [+|-|*|/|%] {i})"] * 3,
        *("abs({i})", "mod({i}, {i})", "CAST({[b|x|m|f]} AS integer)", "round({i})", "-{i}", "sign({i})"),
        "[greatest|least]({i}, {i})",
    ],
    "b": [
        *["({b} [+|-|*|/|%] {[i|b]})"] * 2,
        *("length({t})", "strpos({t}, {t})", "CAST({[i|x|m|f]} AS bigint)", "[greatest|least]({b}, {b})"),
        "[year|quarter|month|week|day|day_of_week|doy]({[d|s]})",
        *("[hour|minute|second]({s})", "date_diff('[day|week|month|quarter|year]', {d}, {d})"),
        *(
            "date_diff('[day|week|hour|minute|second|month|year]', {s}, {s})",
            "extract([year|week|dow|doy] FROM {[d|s]})",
        ),
    ],
    "x": [
        *["({x} [+|-|*|/] {[i|b|x|m]})"] * 2,
        *("round({x})", "round({x}, [0|1|2|3])", "[ceil|floor|abs|sign|exp]({x})", "power({[i|x|m]}, [2|0.5e0|-1])"),
        *("CAST({[i|b|m]} AS double)", "[greatest|least]({x}, {x})"),
    ],
    "m": [
        *["({m} [+|-|*] {[i|m|m]})"] * 2,
        *("CAST({[i|x|m]} AS decimal([10,2|12,1|18,4|38,6]))", "abs({m})", "-{m}", "[greatest|least]({m}, {m})"),
    ],
    "t": [
        *("({t} || {t})", "[lower|upper]({t})", "substr({t}, [1|2|3])", "substr({t}, [1|2], [0|1|3])"),
        *("replace({t}, 'a', {t})", "[lpad|rpad]({t}, [0|1|4|9], ['*'|'ab'])", "CAST({[i|b|m|f|d]} AS varchar)"),
        *("format('%s-%d', {t}, {[i|b]})", "concat({t}, {t}, {t})", "split_part({t}, ['a'|' '|'p'], [1|2])"),
        "date_format({[d|s]}, '[%Y-%m-%d|%d.%m.%Y %H:%i|%Y%m]')",
        *("regexp_replace({t}, '[[aeiou]|p+|^.]', ['_'|''])", "regexp_extract({t}, '[[a-z]+|a(.)]')"),
        *("trim({t})", "reverse({t})", "try_cast({[i|m|d]} AS varchar)"),
    ],
    "f": [
        *["({i} [=|<>|<|<=|>|>=|IS DISTINCT FROM] {[i|b|x|m]})"] * 2,
        *["({m} [=|<>|<|<=|>|>=|IS DISTINCT FROM] {[m|x]})", "({t} [=|<>|<|<=|>|>=|IS DISTINCT FROM] {t})"],
        *["({d} [=|<>|<|<=|>|>=] {[d|s]})", "({s} [=|<>|<|<=|>|>=|IS DISTINCT FROM] {s})"],
        *("({f} [AND|OR] {f})", "(NOT {f})", "({[i|b|x|m|t|d|s]} IS NULL)", "({[i|b|x|m|t|d|s]} IS NOT NULL)"),
        *("({t} LIKE ['a%'|'%_p%'|'%'])", "starts_with({t}, {t})", "({i} IN ([1, 7|0, 2, 10|-1, 3]))"),
        *("({m} BETWEEN {m} AND {x})", "regexp_like({t}, ['^a'|'[pz]+'|'.'])"),
    ],
    "d": [
        *("date_trunc('[day|week|month|quarter|year]', {d})", "CAST({s} AS date)", "date({s})"),
        "date_add('[day|week|month|quarter|year]', [1|-1|5|13], {d})",
        *("({d} [+|-] INTERVAL '[1|3|13]' [DAY|MONTH|YEAR])", "[greatest|least]({d}, {d})"),
    ],
    "s": [
        "date_trunc('[day|week|month|quarter|year|second|minute|hour]', {s})",
        "date_add('[day|week|month|quarter|year|second|minute|hour]', [1|-1|5|100], {s})",
        *("({s} [+|-] INTERVAL '[1|3|36]' [SECOND|MINUTE|HOUR|DAY|MONTH|YEAR])", "CAST({d} AS timestamp)"),
    ],
}
_LONGEST = 240


def random_expressions(seed: int, count: int) -> Iterator[str]:
    """Yield expressions that Trino's types allow."""
    random = Random(seed)
    while count:
        text = _expression(random, random.choice("iibxxmmttffds"), random.choice([1, 2, 2, 3]))
        if len(text) < _LONGEST:
            count -= 1
            yield text


def _expression(random: Random, kind: str, depth: int) -> str:
    if depth <= 0 or random.random() < 0.12:
        return random.choice(_COLUMNS[kind] if random.random() < 0.65 else _LITERALS[kind])
    return _filled(random, random.choice([*_TEMPLATES[kind], *_TEMPLATES["*"][: 4 if kind != "f" else 3]]), kind, depth)


def _filled(random: Random, template: str, kind: str, depth: int) -> str:
    done, at = "", 0
    while at < len(template):
        if template[at] == "{":
            end = template.index("}", at)
            inner = template[at + 1 : end]
            wanted = kind if inner == "=" else random.choice(inner.strip("[]").split("|"))
            done, at = done + _expression(random, wanted, depth - 1), end + 1
        elif template[at] == "[" and "|" in template[at : _closing(template, at)]:
            end = _closing(template, at)
            done, at = done + random.choice(template[at + 1 : end].split("|")), end + 1
        else:
            done, at = done + template[at], at + 1
    return done


def _closing(template: str, at: int) -> int:
    depth = 0
    for place in range(at, len(template)):
        depth += {"[": 1, "]": -1}.get(template[place], 0)
        if depth == 0:
            return place
    raise ValueError(template)
