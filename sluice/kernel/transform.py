"""Files and a plan in, Parquet files, rejects and accounts out: the kernel's front door."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import duckdb

from sluice.contract.filetypes import file_type
from sluice.contract.plan import PROVENANCE, Plan
from sluice.contract.sql import literal, quote
from sluice.contract.types import duckdb_type
from sluice.errors import DataError
from sluice.kernel.judging.examine import BAD, EXAMINED_TEXTS, GIVEN, RAW, Query, Texts, examined, needs_texts, texts
from sluice.kernel.judging.protect import checked_salt
from sluice.kernel.judging.rejects import Refusals
from sluice.kernel.judging.suspects import is_suspect, look_ahead
from sluice.kernel.outcome import Limits, LoadSummary, Outcome, OutputFile, SourceFile
from sluice.kernel.readers.documents import Seen
from sluice.kernel.readers.read import Attempt, attempts
from sluice.kernel.session import session
from sluice.kernel.writing.dictionaries import most_in_dictionary
from sluice.kernel.writing.enumerated import create_constants, create_listed, with_constants
from sluice.kernel.writing.write import Output, write

Progress = Callable[[str, int], None]

_LARGE = 64 << 20  # bytes of an object that is worth files of its own


def transform(
    sources: Sequence[SourceFile],
    plan: Plan,
    *,
    out: Path,
    scratch: Path,
    run_id: str,
    field_ids: Mapping[str, int] | None = None,
    reject_field_ids: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    salt: str | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Read, cast, check, partition and write all `sources`; nothing of them is lost.

    Writes data files (plan columns, then provenance columns; one partition to a file) and rejects files (REJECTS
    columns) below `out`: one set for all small objects together and one for each large object. `out` must be empty;
    `scratch` may be used freely and holds nothing of worth afterwards. Field ids map column names (of the curated
    table, of the rejects table) to Iceberg field ids; without them the files carry none.

    An object that cannot be read under its contract is refused as a whole: its summary says why, its only entry in
    the rejects has no row number, and the other sources go on. `progress` is called as (load id, rows read so far in
    this call) after each source. `salt` is that of hashed columns: a plan that has some raises ContractError without.
    Raises duckdb.Error or OSError where the machine fails (memory, disk): retry.
    """
    limits, salt = limits or Limits(), checked_salt(plan, salt)
    out.mkdir(parents=True, exist_ok=True)
    directories = [out, *{source.path.parent for source in sources}]
    # Each portion of a large text has a thread: more of DuckDB's own would look for work in vain, which costs theirs.
    by_portions = not file_type(plan.reading.format).has_threads and any(map(_is_large, sources))
    alone = replace(limits, threads=1) if by_portions else limits
    with session(limits=alone, scratch=scratch, directories=directories) as connection:
        task = _Task(connection, plan, out, scratch, run_id, limits, field_ids, reject_field_ids, salt)
        return task.run(sources, progress)


def create_examined(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Make the empty table `examined`."""
    columns = [(column.name, duckdb_type(column.type)) for column in plan.columns]
    columns += [(name, duckdb_type(kind)) for name, kind in PROVENANCE]
    columns += [(RAW, "VARCHAR"), (BAD, "BOOLEAN"), (GIVEN, "VARCHAR")]
    connection.execute(f"CREATE TEMP TABLE examined ({', '.join(f'{quote(name)} {kind}' for name, kind in columns)})")


def examine(
    connection: duckdb.DuckDBPyConnection,
    source: SourceFile,
    plan: Plan,
    *,
    scratch: Path,
    run_id: str,
    limits: Limits,
    salt: str | None = None,
    first_row: int = 0,
    names: Sequence[str] | None = None,
    seen: Seen | None = None,
) -> int:
    """Put one object's records, cast and checked, into the table `examined`. Returns how many; all or none.

    A part of a delimited object is a local file of its own that begins and ends between records and has no header:
    pass the object's header as `names` and the number of records before it as `first_row`. `seen` as in `attempts`.
    """
    limits = replace(limits, threads=1)  # it is one statement, whatever there are of them
    for attempt in attempts(source, plan, scratch=scratch, limits=limits, first_row=first_row, names=names, seen=seen):
        sql, parameters = examined(
            attempt.records, plan, source, run_id=run_id, with_text=literal(needs_texts(plan)), salt=salt
        )
        try:
            (rows,) = connection.execute(f"INSERT INTO examined {sql}", parameters).fetchone() or (0,)
        except duckdb.InvalidInputException:  # it quotes the line: the next reader says what is wrong without
            if attempt.last:
                _give_up(attempt, source)
            continue
        if attempt.accounts_for(connection, rows):
            return int(rows)
        connection.execute("DELETE FROM examined WHERE _sluice_load = $1", [source.load_id])
    raise RuntimeError(f"load {source.load_id}: no reader accounts for all records")


@dataclass(frozen=True)
class _Task:
    """One call of `transform`: what stays the same for all its sources."""

    connection: duckdb.DuckDBPyConnection
    plan: Plan
    out: Path
    scratch: Path
    run_id: str
    limits: Limits
    field_ids: Mapping[str, int] | None
    reject_field_ids: Mapping[str, int] | None
    salt: str | None = field(repr=False)

    def run(self, sources: Sequence[SourceFile], progress: Progress | None) -> Outcome:
        """Small objects through one table, large ones each straight to their files."""
        create_examined(self.connection, self.plan)
        refusals: list[tuple[SourceFile, DataError]] = []
        together: dict[str, int] = {}
        files: list[OutputFile] = []
        loads: dict[str, LoadSummary] = {}
        total = 0
        for number, source in enumerate(sources):
            scratch = self.scratch / f"source-{number}"
            try:
                if _is_large(source):
                    outcome = self._pass_through(source, scratch, self.out / f"source-{number}")
                    files += outcome.files
                    loads[source.load_id] = outcome.loads[0]
                    rows = outcome.loads[0].rows_read
                else:
                    rows = together[source.load_id] = self._examine(source, scratch)
            except DataError as error:
                refusals.append((source, error))
                together[source.load_id] = rows = 0
            shutil.rmtree(scratch, ignore_errors=True)
            total += rows
            if progress:
                progress(source.load_id, total)
        table: Query = ("FROM examined", {})
        outcome = self._write(
            [table], list(together), self.out / "together", original=EXAMINED_TEXTS, refusals=refusals
        )
        for summary in outcome.loads:
            _check(summary, together[summary.load_id])
            loads[summary.load_id] = summary
        return Outcome(files=(*files, *outcome.files), loads=tuple(loads[source.load_id] for source in sources))

    def _examine(self, source: SourceFile, scratch: Path) -> int:
        return examine(
            self.connection,
            source,
            self.plan,
            scratch=scratch,
            run_id=self.run_id,
            limits=self.limits,
            salt=self.salt,
        )

    def _pass_through(self, source: SourceFile, scratch: Path, out: Path) -> Outcome:
        for attempt in attempts(source, self.plan, scratch=scratch, limits=self.limits):
            try:
                outcome = self._write_ahead(attempt, source, out)
            except duckdb.InvalidInputException:  # as in `examine`
                if attempt.last:
                    _give_up(attempt, source)
            else:
                if attempt.accounts_for(self.connection, outcome.loads[0].rows_read):
                    return outcome
            shutil.rmtree(out, ignore_errors=True)  # it is not there yet where reading keys ahead failed
        raise RuntimeError(f"load {source.load_id}: no reader accounts for all records")

    def _write_ahead(self, attempt: Attempt, source: SourceFile, out: Path) -> Outcome:
        """Write the records of one object, those aside that repeat keys, if it seems that some do."""
        records, plan = attempt.records, self.plan
        ahead = look_ahead(self.connection, records, plan)
        examine_each = partial(
            examined,
            plan=plan,
            source=source,
            run_id=self.run_id,
            with_text=is_suspect(plan) if ahead else "false",
            salt=self.salt,
            listed=create_listed(self.connection, plan),
        )
        create_constants(self.connection, source, self.run_id)
        return self._write(
            [with_constants(examine_each(part)) for part in attempt.portions or [records]],
            [source.load_id],
            out,
            original=texts(records, plan, source),
            one_load=True,
            suspects_have_texts=ahead,
            most_in_dictionary=most_in_dictionary(self.connection, records, plan),
        )

    def _write(
        self,
        records: Sequence[Query],
        loads: Sequence[str],
        out: Path,
        *,
        original: Texts,
        refusals: Refusals = (),
        one_load: bool = False,
        suspects_have_texts: bool = False,
        most_in_dictionary: int | None = None,
    ) -> Outcome:
        return write(
            self.connection,
            records,
            self.plan,
            original=original,
            one_load=one_load,
            suspects_have_texts=suspects_have_texts,
            loads=loads,
            refusals=refusals,
            output=Output(
                folder=out,
                run_id=self.run_id,
                field_ids=self.field_ids,
                reject_field_ids=self.reject_field_ids,
                most_in_dictionary=most_in_dictionary,
            ),
        )


def _is_large(source: SourceFile) -> bool:
    return source.path.stat().st_size >= _LARGE


def _give_up(attempt: Attempt, source: SourceFile) -> NoReturn:
    if attempt.refusal:
        raise attempt.refusal from None
    raise RuntimeError(f"load {source.load_id}: the last reader failed") from None


def _check(summary: LoadSummary, rows: int) -> None:
    """Conservation: what the reader gave is what the accounts say."""
    if summary.rows_read != rows:
        raise RuntimeError(f"load {summary.load_id}: {rows} rows read, {summary.rows_read} accounted for")
