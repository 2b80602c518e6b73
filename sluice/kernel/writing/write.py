"""From examined records to files and accounts: one pass over the records, then only over what they became.

Accepted records go straight to their final form. The others go to files aside, in the same pass, and so do those that
may repeat a key, if it is known who may (`suspects`); keys are compared and rejects and accounts are made from the
files. The records are a relation: what it reads is no matter here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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

# A record goes aside in the columns of an accepted one: what it carries takes the place of this provenance column,
# which says the same for every record.
_CARRIER = "_sluice_contract"

_WAY = "_sluice_way"  # where a record goes
_ACCEPTED, _SUSPECT, _REJECTED = "0", str(NO_PERIOD + 1), str(NO_PERIOD + 2)


def write(
    connection: duckdb.DuckDBPyConnection,
    records: Sequence[Query],
    plan: Plan,
    *,
    original: Texts,
    one_load: bool = False,
    suspects_have_texts: bool = False,
    most_in_dictionary: int | None = None,
    loads: Sequence[str],
    refusals: Refusals,
    run_id: str,
    out: Path,
    field_ids: Mapping[str, int] | None,
    reject_field_ids: Mapping[str, int] | None,
) -> Outcome:
    """Write `records` below the folder `out`, each of these relations by a thread of its own, and account for them.

    They have the columns of `examined`, and all records of one load and primary key must be among them; with `one_load`
    all are of one load. `original` finds the texts of records; it is asked only where repeated keys are rejects and
    there are some. With `suspects_have_texts` only records with a RAW can repeat a key, and few have one: only they are
    judged for it.
    `loads` are the load ids in the order of the summaries; `refusals` those whose objects could not be read at all.
    """
    good, suspects, aside = _sort(
        connection,
        records,
        plan,
        with_suspects=suspects_have_texts,
        most_in_dictionary=most_in_dictionary,
        folder=out / "data",
        field_ids=field_ids,
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
    create_refusals(connection, plan, refusals, run_id)
    if aside:
        _create_broken(connection, aside, plan)
        entries.append(broken_entries(plan))
    if repeats and rejects_repeats(plan):
        _create_repeated(connection, original, judged, plan)
        entries.append(repeated_entries(plan))
    if suspects:
        good += _cleared(connection, suspects, plan, folder=out / "data" / "cleared", field_ids=field_ids)
    elif repeats:
        good = without(connection, good, plan, folder=out / "data" / "unrepeated", field_ids=field_ids)
    rejects = write_parquet(connection, " UNION ALL ".join(entries), folder=out / "rejects", field_ids=reject_field_ids)
    accounts = summaries(connection, plan, loads, refusals, good=good, rejects=rejects, broken=bool(aside))
    if plan.checks:
        accounts = measured(connection, good, plan, accounts)
    for file in (*suspects, *aside):
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
    most_in_dictionary: int | None,
    folder: Path,
    field_ids: Mapping[str, int] | None,
) -> tuple[tuple[Written, ...], ...]:
    """Write accepted records by partition, suspects aside, and rejected records aside; return the files of each."""
    carried = f"{GIVEN}, {RAW}" if with_suspects else GIVEN
    suspect = f"WHEN {RAW} IS NOT NULL THEN {_SUSPECT}" if with_suspects else ""
    way = f"CASE WHEN {BAD} THEN {_REJECTED} {suspect} ELSE {_ACCEPTED} END"
    columns = [quote(column.name) for column in plan.columns]
    columns += [f"coalesce({carried}, {name}) AS {name}" if name == _CARRIER else name for name, _ in PROVENANCE]
    parts = partition_expressions(plan)
    if is_by_period(plan):
        # One value a record to sort by, not two: DuckDB makes an object of each, a thirtieth of all the time.
        ways = [f"CASE WHEN {_WAY} = {_ACCEPTED} THEN {parts[0]} ELSE {_WAY} END"]
    else:
        ways = [*(f"CASE WHEN {_WAY} = {_ACCEPTED} THEN {part} END" for part in parts), _WAY]

    def sort(number: int) -> tuple[Written, ...]:
        relation, parameters = records[number]
        return write_parquet(
            connection.cursor() if number else connection,  # which alone sees its temporary tables
            f"SELECT {', '.join(columns)}, {way} AS {_WAY} FROM ({relation})",
            folder=folder / str(number),
            parameters=parameters,
            partitions=ways,
            hidden=[_WAY],
            field_ids=field_ids,
            most_in_dictionary=most_in_dictionary,
        )

    with ThreadPoolExecutor(len(records)) as pool:
        files = [file for written in pool.map(sort, range(len(records))) for file in written]
    suspects = tuple(file for file in files if file.partition[-1] == _SUSPECT)
    aside = tuple(file for file in files if file.partition[-1] == _REJECTED)
    return tuple(file for file in files if file not in {*suspects, *aside}), suspects, aside


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


def _create_broken(connection: duckdb.DuckDBPyConnection, aside: Sequence[Written], plan: Plan) -> None:
    """Make the view `broken`: rejected records with their provenance, `raw` and `breaches`."""
    connection.execute(f"CREATE OR REPLACE TEMP VIEW broken AS {explained(scan(aside), plan, carrier=_CARRIER)}")


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
