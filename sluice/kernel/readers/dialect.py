"""The dialect of delimited text of unknown origin, by a majority of its records. For drafts of contracts only.

The text is read under each candidate by the project's own tokenizer, so ragged records, title lines and footers are
counted instead of ending the search. Types do not belong here: `sluice.contract.infer` judges columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from statistics import median

from sluice.contract.plan import Reading
from sluice.kernel.framing.tokens import BLANKS
from sluice.kernel.readers.delimited import Record, named_by_place, split_text

_USUAL = (",", ";", "\t", "|")
_UNUSUAL = ("||", "|~|", "::", "^", "~", "\x1f", "\x01", ":", " ")
_RECORDS = 2_000  # records that vote
_ENOUGH = 0.5  # share of the records that have the winning number of cells
_TITLES = 50  # records in which the header is looked for
_FOOTER = 6  # records that a footer has at most
_CLEAN = 0.3  # what a cell counts that may hold delimiters of another dialect
_SEP = re.compile(r'"?sep=(?P<delimiter>[^"\r\n])"?(\r\n|\n|\r)', re.IGNORECASE)  # for Excel
_CLOSING = re.compile(
    r"\W*((grand|sub)[ -]?)?(total|totals|sum|summe|gesamt\w*|insgesamt|zwischensumme|stand|somme|suma|totale|eof|"
    r"end of (file|report|data|extract)|record count|row count|count|anzahl|trailer|trl|source|quelle|report|generated"
    r"|\d+ (rows?|records?|zeilen)|(rows?|records?|zeilen)\W+\d+)\b|[-=_*]{3,}",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([T ].*)?|\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4}|\d{1,2}:\d\d(:\d\d.*)?")
_NUMBER = re.compile(r"[(+-]?[€$£]? ?\d[\d.,' \u00a0\u202f]*([eE][+-]?\d+)? ?[%€$£]?[)-]?|[+-]?[.,]\d+")
_TRUTH = frozenset({"true", "false", "yes", "no", "y", "n", "ja", "nein"})


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How the text is written, the names of its columns, and what a person should know of the choice."""

    reading: Reading
    names: Sequence[str]
    findings: Sequence[str] = ()


@dataclass(frozen=True)
class _Table:
    """The text as one candidate has it. `share` of the records have `width` cells."""

    reading: Reading
    records: Sequence[Record]
    width: int
    share: float
    score: float

    @property
    def fitting(self) -> Sequence[Record]:
        """The records of the winning width."""
        return [record for record in self.records if len(record.cells) == self.width and not record.fault]


def vote(head: str, tail: str, reading: Reading) -> Dialect:
    """Tell the dialect of a text by its beginning and its end, which are whole lines; `reading` has all else."""
    told = _SEP.match(head)
    if told:
        best = _table(head[told.end() :], replace(reading, delimiter=told["delimiter"]))
        best = replace(best, records=[replace(record, line=record.line + 1) for record in best.records])
    else:
        best = max((_table(head, replace(reading, delimiter=mark)) for mark in _USUAL), key=_rank)
        if best.width == 1:
            best = max((_table(head, replace(reading, delimiter=mark)) for mark in (*_USUAL, *_UNUSUAL)), key=_rank)
    best = _requoted(head, best) if not told else best
    if best.width == 1:
        best = _by_header(head, best.reading) or best
    if best.width == 1:
        unused = next((mark for mark in _USUAL if mark not in head), ",")
        best = _table(head, replace(best.reading, delimiter=unused))
    return _framed(best, tail)


def kind_of(cell: str | None) -> str:
    """Tell roughly what a cell is: number, date, truth, text, or nothing (an empty text)."""
    text = (cell or "").strip()
    if not text:
        return ""
    if _DATE.fullmatch(text):
        return "date"
    if _NUMBER.fullmatch(text):
        return "number"
    return "truth" if text.lower() in _TRUTH else "text"


def _rank(table: _Table) -> float:
    return table.score


def _table(text: str, reading: Reading) -> _Table:
    records = list(islice(split_text(text, reading), _RECORDS))
    widths = Counter(len(record.cells) for record in records if not record.fault and len(record.cells) > 1)
    if not widths:
        return _Table(reading, records, 1, 1.0, 0.0)
    width = max(widths, key=lambda cells: widths[cells] * (cells - 1) / cells)
    share = widths[width] / len(records)
    if share < _ENOUGH and widths[width] < len(records) - 5:
        return _Table(reading, records, 1, 1.0, 0.0)
    table = _Table(reading, records, width, share, 0.0)
    clean = [_clean(cell or "", reading.quote) for record in table.fitting for cell in record.cells]
    return replace(table, score=share * (width - 1) / width * sum(clean) / len(clean))


def _by_header(text: str, reading: Reading) -> _Table | None:
    """The table of the width of its first record, where records of all widths leave no majority."""
    for mark in _USUAL:
        table = _table(text, replace(reading, delimiter=mark))
        several = sum(1 for record in table.records if len(record.cells) > 1)
        if several > _ENOUGH * len(table.records) and len(table.records[0].cells) > 1:
            return replace(table, width=len(table.records[0].cells))
    return None


def _clean(cell: str, quote: str) -> float:
    """How surely a cell is one: a text that holds other delimiters, or half of a pair of quotes, is perhaps several."""
    if kind_of(cell) not in {"text", ""}:
        return 1.0
    if quote and cell.count(quote) % 2:
        return 0.0
    return _CLEAN if any(mark in cell for mark in _USUAL) else 1.0


def _requoted(text: str, table: _Table) -> _Table:
    """The same table under the quote and the escape that fit it best."""
    single = sum(
        1
        for record in table.records
        if any(len(cell or "") > 1 and cell[0] == cell[-1] == "'" for cell in record.cells if cell)
    )
    others = []
    if single > 0.8 * len(table.records) and '"' not in text:
        others.append(replace(table.reading, quote="'", escape="'"))
    if '\\"' in text:
        others.append(replace(table.reading, escape="\\"))
    if any(record.fault for record in table.records):
        others.append(replace(table.reading, quote="", escape=""))
    for reading in others:
        again = _table(text, reading)
        quoted = reading.quote == "'"
        if (quoted and again.share >= table.share) or (_faults(again) < _faults(table) and again.score > table.score):
            table = again
    return table


def _faults(table: _Table) -> int:
    return sum(1 for record in table.records if record.fault or len(record.cells) != table.width)


def _framed(table: _Table, tail: str) -> Dialect:
    """Find what stands above the header, the header, and what stands below the last record."""
    reading, findings = table.reading, list[str]()
    if mark := _comment(table):
        table = _without_comments(table, mark)
        reading = table.reading
        findings.append(f"lines that begin with {mark} are taken for comments")
    at = _first(table)
    first = table.records[at] if table.records else Record([], "")
    body = [record for record in table.records[at + 1 :] if len(record.cells) == table.width and not record.fault]
    columns = [[record.cells[place] for record in body[:500]] for place in range(table.width)]
    header = _is_header(first, columns)
    skipped = first.line - 1 if first.line > 1 else 0
    if skipped:
        findings.append(f"the first {_lines(skipped)} above the table: skipLines")
    footer = _footer(reading, tail, columns, table.width)
    if footer:
        findings.append(f"the last {_lines(footer)} taken for a footer, as of sums: skipFooter")
    cells = [cell or "" for cell in first.cells]
    above = [cell or "" for cell in table.records[at - 1].cells] if at else []
    ragged = reading.ragged_rows
    if at and len(above) == table.width - 1 and not any(column[-1:] != [""] and any(column) for column in columns[-1:]):
        # Each row ends with a delimiter more than the header does.
        cells, header, skipped, ragged = above, True, table.records[at - 1].line - 1, "fill"
        findings.append("rows end with a delimiter more than the header has: raggedRows fill drops the empty cell")
    elif not header:
        findings.append("no header was found: the columns are named by their places")
    if _needs_trim(cells if header else [], columns):
        reading = replace(reading, blanks="trim")
        cells = [cell.strip(BLANKS) for cell in cells]
    names = named_by_place(cells) if header else [f"column_{place}" for place in range(1, table.width + 1)]
    reading = replace(reading, header=header, skip_lines=skipped, skip_footer=footer, ragged_rows=ragged)
    return Dialect(reading=reading, names=names, findings=findings)


def _lines(count: int) -> str:
    return f"{count} lines" if count > 1 else "line"


def _comment(table: _Table) -> str:
    """`#`, where lines that begin with it stand among or above the records and are no records themselves."""
    marked = [record for record in table.records if record.raw.startswith("#")]
    return "#" if marked and table.width > 1 and all(len(record.cells) != table.width for record in marked) else ""


def _without_comments(table: _Table, mark: str) -> _Table:
    records = [record for record in table.records if not record.raw.startswith(mark)]
    return replace(table, reading=replace(table.reading, comment=mark), records=records)


def _first(table: _Table) -> int:
    """The place of the first record of the table: of its width, and filled like a header or a row."""
    filled = [sum(1 for cell in record.cells if cell) for record in table.fitting]
    least = max(1, median(filled) / 2) if filled else 1
    for at, record in enumerate(table.records[:_TITLES]):
        if len(record.cells) == table.width and not record.fault and sum(1 for cell in record.cells if cell) >= least:
            return at
    return 0


def _is_header(first: Record, columns: Sequence[Sequence[str | None]]) -> bool:
    """True if the record names the columns below rather than being one of their rows."""
    alike = different = known = texts = 0
    numbers = []
    for cell, column in zip(first.cells, columns, strict=False):
        kind, below = kind_of(cell), Counter(filter(None, map(kind_of, column)))
        usual = below.most_common(1)[0] if below else ("", 0)
        typed = usual[0] not in {"text", ""} and usual[1] > 0.6 * below.total()
        if kind in {"number", "date", "truth"}:
            alike += typed and usual[0] == kind
            numbers += [int(cell)] if cell and cell.strip().isdecimal() else []
        elif kind == "text":
            different += typed
            texts += 1
            known += column.count(cell) > 0 and not typed
    steps = {after - before for before, after in pairwise(numbers)}
    if alike and len(numbers) == alike > 1 and steps == {1} and texts:
        return True  # one column a year
    if known > texts / 2 and not different:
        return False
    return different > alike or not alike


def _footer(reading: Reading, tail: str, columns: Sequence[Sequence[str | None]], width: int) -> int:
    """How many lines at the end belong to no record of the table."""
    records = list(split_text(tail, reading))
    if len(records) == 1 or not columns:
        return 0
    kinds = [Counter(filter(None, map(kind_of, column))).most_common(1) for column in columns]
    usual = [found[0][0] if found else "" for found in kinds]
    lines = tail.rstrip("\r\n").count("\n") + 1
    begins = 0
    for before, record in list(pairwise(records))[: -_FOOTER - 1 : -1]:
        gap = record.line > before.line + 1 + before.raw.count("\n")
        cell = next((cell for cell in record.cells if cell), "") or record.raw
        place = next((at for at, text in enumerate(record.cells) if text), 0)
        foreign = kind_of(cell) != (usual[place] if place < len(usual) else "") or len(record.cells) != width
        if not ((foreign and (gap or _CLOSING.match(cell))) or (_CLOSING.match(cell) and gap)):
            break
        begins = record.line
    return lines - begins + 1 if begins else 0


def _needs_trim(names: Sequence[str], columns: Sequence[Sequence[str | None]]) -> bool:
    """True if blanks around numbers or dates keep them from being such."""
    typed = [cell for column in columns for cell in column if cell and kind_of(cell) in {"number", "date"}]
    padded = sum(1 for cell in typed if cell != cell.strip(BLANKS))
    return padded > 0.02 * max(1, len(typed)) or (
        len(names) > 1 and sum(1 for name in names[1:] if name != name.strip(BLANKS)) > len(names) / 2
    )
