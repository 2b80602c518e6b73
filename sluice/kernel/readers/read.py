"""One object to its records: which reader takes it, and who takes over where the fast one cannot be sure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import assert_never

import duckdb

from sluice.contract.plan import EXTRA, Plan, Reading
from sluice.errors import DataError
from sluice.kernel.framing.magic import foreign_type
from sluice.kernel.framing.portions import Portion, portions
from sluice.kernel.framing.split import no_strays
from sluice.kernel.framing.text import Text, empty_lines, last_lines, prepare
from sluice.kernel.framing.unpack import compression
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.columnar import open_parquet
from sluice.kernel.readers.delimited import read_header, whole_record
from sluice.kernel.readers.delimited import records as delimited_records
from sluice.kernel.readers.documents import Seen, documents
from sluice.kernel.readers.header import positions, repeated_header, sources, unknown_positions
from sluice.kernel.readers.records import NO_TEXT, TAKEN, Records, csv_records
from sluice.kernel.readers.rewrite import rewritten
from sluice.kernel.readers.sheets import sheet_records

_LONG_DELIMITER = 4  # bytes; DuckDB refuses longer ones
_WIDE = 512  # columns; DuckDB holds two thousand records of all of them at a time


@dataclass(frozen=True)
class Attempt:
    """Records as one reader sees them. Take them if the query does not fail and `accounts_for` the rows it gave.

    A query fails with duckdb.InvalidInputException where the reader cannot go on: try the next attempt; after the
    last one raise `refusal`, if there is one. Where there are `portions`, which have all the records together, they may
    be read side by side instead.
    """

    records: Records
    portions: Sequence[Records] = ()
    accounts_for: Callable[[duckdb.DuckDBPyConnection, int], bool] = lambda _connection, _rows: True
    last: bool = True
    refusal: DataError | None = None


def attempts(
    source: SourceFile,
    plan: Plan,
    *,
    scratch: Path,
    limits: Limits,
    first_row: int = 0,
    names: Sequence[str] | None = None,
    seen: Seen | None = None,
) -> Iterator[Attempt]:
    """Yield the object's records, and again from a slower reader if the caller does not stop at the first.

    With `names` the file is a part of an object, without a header: its first record is number `first_row + 1`. With
    `seen` it may be a part of one, too, and whoever has all parts judges the members that `seen` gathers.
    Raises DataError for an object that cannot be read under the plan.
    """
    found = _attempts(source, plan, scratch=scratch, limits=limits, first_row=first_row, names=names, seen=seen)
    try:
        yield from found
    except DataError as error:
        raise _named(error, source, plan) from error


def _named(error: DataError, source: SourceFile, plan: Plan) -> DataError:
    """The refusal with what the file is, where its first bytes say that it is no file of the contract's format."""
    if source.offset or error.rule == "file.limit":
        return error
    found = foreign_type(source.path, plan.reading.format, compression(source, plan))
    if found is None:
        return error
    message, detail = (f"{text}; the file is {found}" for text in (error.message, error.detail))
    return DataError(message, dataset=error.dataset, rule=error.rule, object_key=error.object_key, detail=detail)


def _attempts(
    source: SourceFile,
    plan: Plan,
    *,
    scratch: Path,
    limits: Limits,
    first_row: int,
    names: Sequence[str] | None,
    seen: Seen | None,
) -> Iterator[Attempt]:
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / "records.csv"
    match plan.reading.format:
        case "parquet":
            opened = open_parquet(source, plan, scratch=scratch, limits=limits)
            message = "expected a Parquet file, got one with damaged pages"
            damaged = DataError(message, dataset=plan.dataset, rule="file.format", object_key=source.key)
            yield Attempt(opened, refusal=damaged)
        case "xlsx":
            named, found = sheet_records(source, plan, limits=limits)
            cells, extras = positions(named, plan, key=source.key), unknown_positions(named, plan)
            width = len(named)
            again = repeated_header(named, plan.reading)
            yield Attempt(
                rewritten(
                    found,
                    target,
                    width=width,
                    cells=cells,
                    extras=extras,
                    first_row=first_row,
                    again=again,
                    typed={
                        column.source
                        for column in (*plan.columns, *plan.omitted)
                        if column.typed_cast and column.source
                    },
                )
            )
        case "json":
            text = prepare(source, plan, scratch=scratch, limits=limits)
            wanted = sources(plan)
            if plan.reading.unknown_columns == "take":
                wanted.append(EXTRA)
            cells = {name: at for at, name in enumerate(wanted)}
            gathered = seen or Seen()
            found = documents(text.path, plan, limits, key=source.key, seen=gathered)
            width = len(wanted)
            records = rewritten(found, target, width=width, cells=cells, first_row=first_row, fault="row.json")
            if seen is None:
                gathered.members.refuse_missing(plan, key=source.key)
            yield Attempt(records)
        case "csv":
            text = prepare(source, plan, scratch=scratch, limits=limits)
            yield from _delimited(text, source, plan, limits, first_row=first_row, names=names, target=target)
        case _:
            assert_never(plan.reading.format)


def _delimited(
    text: Text,
    source: SourceFile,
    plan: Plan,
    limits: Limits,
    *,
    first_row: int,
    names: Sequence[str] | None,
    target: Path,
) -> Iterator[Attempt]:
    reading = plan.reading
    skip_lines = reading.skip_lines if names is None else 0
    above = skip_lines
    header = reading.header_lines if names is None and reading.header else 0
    if header:
        names, lines = read_header(text.path, plan, limits, key=source.key)
        above += lines
    names = sources(plan) if names is None else names
    cells, extras = positions(names, plan, key=source.key), unknown_positions(names, plan)
    width = len(names)
    if width <= _WIDE and is_plain(text, reading):
        fast = partial(
            csv_records,
            text,
            plan,
            names=names,
            cells=cells,
            extras=extras,
            first_row=first_row,
            header=header,
            skip_lines=skip_lines,
        )
        folder = target.with_name("portions")
        gave_up = yield from _fast(text, reading, fast, above=above, folder=folder, threads=limits.threads)
        doubted = gave_up and reading.stray_quotes != "text" and text.quotes
        if doubted and no_strays(text.path, reading, above=above):
            proven = partial(fast, proven=True)
            yield from _fast(text, reading, proven, above=above, folder=folder, threads=limits.threads)
    found = islice(delimited_records(text.path, plan, limits, key=source.key, skip_lines=skip_lines), header, None)
    yield Attempt(
        rewritten(
            found,
            target,
            width=width,
            cells=cells,
            extras=extras,
            first_row=first_row,
            again=repeated_header(names, reading),
            fill=reading.ragged_rows == "fill",
        )
    )


def _fast(
    text: Text, reading: Reading, fast: Callable[..., Records], *, above: int, folder: Path, threads: int
) -> Generator[Attempt, None, bool]:
    """DuckDB's own reader, on portions of the file side by side, then on all of it; returns whether it gave that up."""
    if several := portions(text, folder, threads=threads):
        read = [fast(above=above, portion=portion) for portion in several]
        yield Attempt(fast(), read, _EachLine(text, reading, above, several), last=False)
        rmtree(folder)
    proof = _Asked(_LineProof(text, reading, above, fast()))
    yield Attempt(fast(), accounts_for=proof, last=False)
    return not proof.asked


def is_plain(text: Text, reading: Reading) -> bool:
    """Whether DuckDB's reader takes these bytes under this dialect as we do. What follows is where it was seen not to.

    It joins what stands on both sides of a reopened quote and knows no comments of several characters; a backslash in a
    delimiter is an escape to it.
    """
    if text.returns or text.nuls or text.long_lines or text.reopened or text.comments:
        return False
    if text.escapes and (text.quotes or not reading.quote):
        return False
    delimiter = reading.delimiter.encode()
    marks = reading.delimiter + reading.quote + reading.escape
    if len(delimiter) > _LONG_DELIMITER or "\\" in reading.delimiter or set(marks) & set(NO_TEXT):
        return False
    strange = not (reading.quote + reading.escape).isascii() or len(delimiter) > 1
    return not text.quotes or not (strange or reading.escape == "" or reading.blanks == "trim")


@dataclass
class _Asked:
    """A proof that remembers whether a query got as far as to ask for it."""

    proof: Callable[[duckdb.DuckDBPyConnection, int], bool]
    asked: bool = False

    def __call__(self, connection: duckdb.DuckDBPyConnection, rows: int) -> bool:
        self.asked = True
        return self.proof(connection, rows)


@dataclass(frozen=True)
class _EachLine:
    """The proof that each line below the header is a record, so that portions of the file were numbered right.

    No portion has more records than lines. So if there are as many in all, no quote reaches over the end of a line,
    unless the end of a portion hid that it was open.
    """

    text: Text
    reading: Reading
    above: int
    portions: Sequence[Portion]

    def __call__(self, _connection: duckdb.DuckDBPyConnection, rows: int) -> bool:
        if self.text.lines - self.above != rows:
            return False
        ends = (last_lines(portion.path, 1) for portion in self.portions)
        return not self.text.quotes or all(whole_record(end, self.reading) is not None for end in ends)


@dataclass(frozen=True)
class _LineProof:
    """The proof that DuckDB's reader lost nothing: each line of the file is in a record, or empty, or above the first.

    What a quote that never closes swallows is in no record.
    """

    text: Text
    reading: Reading
    above: int
    records: Records

    def __call__(self, connection: duckdb.DuckDBPyConnection, rows: int) -> bool:
        unaccounted = self.text.lines - self.above - rows
        if unaccounted == 0:  # then each record is a line
            return not self.text.quotes or self._ends_whole(0, None)
        if not self.text.quotes:
            return unaccounted == empty_lines(self.text.path)
        raw, cells = self.records.raw, ", ".join(name for name in self.records.columns if name != TAKEN)
        query = f"""
            SELECT sum(feeds), max_by(feeds, row), max_by(cells, row)
            FROM (
                SELECT
                    length({raw}) - length(replace({raw}, chr(10), '')) AS feeds, _sluice_row AS row,
                    list_filter([{cells}], lambda cell: cell IS NOT NULL) AS cells
                FROM ({self.records.sql})
            )"""
        inside, last, found = connection.execute(query, dict(self.records.parameters)).fetchone() or (0, 0, None)
        if unaccounted != int(inside or 0) + empty_lines(self.text.path, trailing=True):
            return False
        return self._ends_whole(int(last or 0), found)

    def _ends_whole(self, feeds: int, cells: list[str] | None) -> bool:
        """Whether the last record, which has so many line feeds inside, is one for the careful reader, too.

        What DuckDB finds in a quote that the end of the file leaves open, it may take for a record cut short.
        """
        found = whole_record(last_lines(self.text.path, feeds + 1), self.reading)
        return found is not None and cells in (None, found)
