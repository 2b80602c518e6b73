"""From examined records to files and accounts: one pass over the records, then only over what they became.

Accepted records go straight to their final form. In the same pass rejected records go to separate files, and so do
records that may repeat a key, where those are known (`suspects`). Keys are compared, and rejects and accounts are made,
from these files. The records are a relation; this module does not care what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from sluice.contract.plan import PROVENANCE, Plan
from sluice.contract.sql import literal, quote
from sluice.kernel.judging.examine import BAD, GIVEN, RAW, Query, Texts, rejects_repeats
from sluice.kernel.judging.explain import explained
from sluice.kernel.judging.quality import measured
from sluice.kernel.judging.rejects import REFUSALS, Refusals, broken_entries, create_refusals, repeated_entries
from sluice.kernel.judging.repeats import find_repeats, scan, without
from sluice.kernel.judging.unique import take_out
from sluice.kernel.layout.partition import NO_PERIOD, Written, is_by_period, partition_expressions, write_parquet
from sluice.kernel.outcome import Outcome, OutputFile
from sluice.kernel.writing.account import summaries

# A record in a separate file has the columns of an accepted one. What it carries takes the place of this provenance
# column, which says the same for every record.
_CARRIER = "_sluice_contract"

_DESTINATION = "_sluice_destination"  # where a record goes
_ACCEPTED, _SUSPECT, _REJECTED = "0", str(NO_PERIOD + 1), str(NO_PERIOD + 2)


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where files go, and what all of them carry."""

    folder: Path
    run_id: str
    field_ids: Mapping[str, int] | None  # Iceberg field ids by column of the curated table; None: files carry none
    reject_field_ids: Mapping[str, int] | None  # of the rejects table
    most_in_dictionary: int | None = None  # values in the dictionary of a column; None leaves it to DuckDB


def write(
    connection: duckdb.DuckDBPyConnection,
    records: Sequence[Query],
    plan: Plan,
    *,
    original: Texts,
    output: Output,
    loads: Sequence[str],
    refusals: Refusals,
    one_load: bool = False,
    suspects_have_texts: bool = False,
) -> Outcome:
    """Write records as Parquet files, each of the relations `records` in a thread of its own, and account for them.

    Args:
        records: relations with the columns of `examined`. All records of one load and primary key are among them.
        original: finds the texts of records. It is asked only if keys are repeated and the plan rejects that.
        loads: load ids, in the order of the summaries.
        refusals: those of the loads whose objects could not be read at all.
        one_load: True if all records are of one load.
        suspects_have_texts: True if only records with a RAW can repeat a key. Few have one, and only they are judged.
    """
    out, field_ids, reject_field_ids = output.folder, output.field_ids, output.reject_field_ids
    good, suspects, rejected = _sort(
        connection,
        records,
        plan,
        with_suspects=suspects_have_texts,
        output=replace(output, folder=out / "data"),
    )
    entries = [REFUSALS]
    if plan.unique:
        unique = out / "data" / "unique"
        good, taken = take_out(connection, good, plan, original=original, folder=unique, field_ids=field_ids)
        entries += taken
    judged = good
    if suspects_have_texts:
        judged, original = suspects, _carried(suspects)
    repeats = find_repeats(connection, judged, plan, one_load=one_load)
    create_refusals(connection, plan, refusals, output.run_id)
    if rejected:
        _create_broken(connection, rejected, plan)
        entries.append(broken_entries(plan))
    if repeats and rejects_repeats(plan):
        _create_repeated(connection, original, judged, plan)
        entries.append(repeated_entries(plan))
    if suspects:
        good += _cleared(connection, suspects, plan, folder=out / "data" / "cleared", field_ids=field_ids)
    elif repeats:
        good = without(connection, good, plan, folder=out / "data" / "unrepeated", field_ids=field_ids)
    rejects = write_parquet(connection, " UNION ALL ".join(entries), folder=out / "rejects", field_ids=reject_field_ids)
    accounts = summaries(connection, plan, loads, refusals, good=good, rejects=rejects, broken=bool(rejected))
    if plan.checks:
        accounts = measured(connection, good, plan, accounts)
    for file in (*suspects, *rejected):
        file.path.unlink()
    data = [OutputFile(path=file.path, kind="data", rows=file.rows) for file in good]
    return Outcome(
        files=(*data, *(OutputFile(path=file.path, kind="rejects", rows=file.rows) for file in rejects)),
        loads=accounts,
    )


def _sort(
    connection: duckdb.DuckDBPyConnection,
    records: Sequence[Query],
    plan: Plan,
    *,
    with_suspects: bool,
    output: Output,
) -> tuple[tuple[Written, ...], ...]:
    """Write accepted records by partition, suspects and rejected ones to separate files; return the files of each."""
    carried = f"{GIVEN}, {RAW}" if with_suspects else GIVEN
    suspect = f"WHEN {RAW} IS NOT NULL THEN {_SUSPECT}" if with_suspects else ""
    destination = f"CASE WHEN {BAD} THEN {_REJECTED} {suspect} ELSE {_ACCEPTED} END"
    columns = [quote(column.name) for column in plan.columns]
    columns += [f"coalesce({carried}, {name}) AS {name}" if name == _CARRIER else name for name, _ in PROVENANCE]
    parts = partition_expressions(plan)
    if is_by_period(plan):
        # One value a record to sort by, not two: DuckDB makes an object of each, a thirtieth of all the time.
        partitions = [f"CASE WHEN {_DESTINATION} = {_ACCEPTED} THEN {parts[0]} ELSE {_DESTINATION} END"]
    else:
        partitions = [*(f"CASE WHEN {_DESTINATION} = {_ACCEPTED} THEN {part} END" for part in parts), _DESTINATION]

    def sort(number: int) -> tuple[Written, ...]:
        relation, parameters = records[number]
        return write_parquet(
            connection.cursor() if number else connection,  # which alone sees its temporary tables
            f"SELECT {', '.join(columns)}, {destination} AS {_DESTINATION} FROM ({relation})",
            folder=output.folder / str(number),
            parameters=parameters,
            partitions=partitions,
            hidden=[_DESTINATION],
            field_ids=output.field_ids,
            most_in_dictionary=output.most_in_dictionary,
        )

    with ThreadPoolExecutor(len(records)) as pool:
        files = [file for written in pool.map(sort, range(len(records))) for file in written]
    suspects = tuple(file for file in files if file.partition[-1] == _SUSPECT)
    rejected = tuple(file for file in files if file.partition[-1] == _REJECTED)
    return tuple(file for file in files if file not in {*suspects, *rejected}), suspects, rejected


def _carried(suspects: Sequence[Written]) -> Texts:
    """Return where the texts of suspects are: in the files that they went to."""
    return Texts(relation=f"SELECT * FROM {scan(suspects)}", text=_CARRIER)


def _cleared(
    connection: duckdb.DuckDBPyConnection,
    suspects: Sequence[Written],
    plan: Plan,
    *,
    folder: Path,
    field_ids: Mapping[str, int] | None,
) -> tuple[Written, ...]:
    """Write the suspects that are not in `repeats` as the accepted records that they are."""
    names = [quote(column.name) for column in plan.columns]
    names += [f"{literal(plan.version)} AS {name}" if name == _CARRIER else name for name, _ in PROVENANCE]
    relation = f"{scan(suspects, places=True)} ANTI JOIN repeats USING (filename, file_row_number)"
    return write_parquet(
        connection,
        f"SELECT {', '.join(names)} FROM {relation}",
        folder=folder,
        partitions=partition_expressions(plan),
        field_ids=field_ids,
    )


def _create_broken(connection: duckdb.DuckDBPyConnection, rejected: Sequence[Written], plan: Plan) -> None:
    """Make the view `broken`: rejected records with their provenance, `raw` and `breaches`."""
    connection.execute(f"CREATE OR REPLACE TEMP VIEW broken AS {explained(scan(rejected), plan, carrier=_CARRIER)}")


def _create_repeated(
    connection: duckdb.DuckDBPyConnection, original: Texts, judged: Sequence[Written], plan: Plan
) -> None:
    """Make the table `repeated`: the records of `repeats` with key, provenance and text."""
    names = ", ".join([*map(quote, plan.primary_key), *(name for name, _ in PROVENANCE)])
    connection.execute(
        f"""
    CREATE OR REPLACE TEMP TABLE repeated AS
    WITH texts AS (
        {original.of("repeats")}
    ), records AS (
        SELECT {names}
        FROM {scan(judged, places=True)}
        SEMI JOIN repeats USING (filename, file_row_number)
    )
    SELECT * FROM records LEFT JOIN texts USING (_sluice_load, _sluice_row)""",
        dict(original.parameters),
    )
