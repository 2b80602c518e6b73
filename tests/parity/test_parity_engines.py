"""The Lambda path and the Spark path give equal rows, equal rejects and equal accounts on the same objects."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest

from sluice.contract.casts import strict_cast
from sluice.contract.plan import (
    PROVENANCE,
    REJECTS,
    Column,
    Mode,
    ObjectCheck,
    PartitionField,
    Plan,
    Reading,
    Rule,
    Unique,
)
from sluice.distributed.connect import connect
from sluice.distributed.cut import cut
from sluice.distributed.transform import PartSizes
from sluice.distributed.transform import transform as on_spark
from sluice.kernel.outcome import Limits, LoadSummary
from sluice.stages.manifest import Claim, ClaimedLoad, Engine, Group, GroupResult
from sluice.stages.run_folder import RunFolder
from sluice.stages.transform import transform as on_lambda
from tests.unit.contract_case import compiled

RAW, LAKE = "raw-bucket", "lake-bucket"
# pyspark leaves sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LIMITS = Limits(memory_bytes=512 << 20, threads=1)
SMALL = PartSizes(part=4000, least_part=4000, bucket=15000)  # several parts and buckets even for small objects
RUNS = count(1)


def plan(mode: Mode, *, partition: str | None = "day") -> Plan:
    kinds = {"id": "int", "day": "date", "amount": "decimal(8,2)", "text": "string", "at": "timestamp"}
    columns = []
    for name, kind in kinds.items():
        cast, expected = strict_cast(f'"{name}"', kind)
        columns.append(Column(name=name, source=name, type=kind, cast=cast, expected=expected))
    return Plan(
        dataset="things",
        version="2",
        mode=mode,
        primary_key=("id", "day"),
        sequence_by="at" if mode == "merge" else None,
        columns=tuple(columns),
        rules=(
            Rule(name="minimum", column="amount", predicate='"amount" >= 0', expected="at least 0"),
            Rule(name="enum", column="text", predicate="\"text\" <> 'odd'", expected="not odd", severity="warn"),
        ),
        partition=(PartitionField(column=partition, transform="month", name="day_month"),) if partition else (),
    )


HEADER = "id,day,amount,text,at\n"


def clean(rows: range) -> str:
    return "".join(f"{i},2024-{i % 5 + 1:02d}-15,{i}.50,text {i},2024-01-01T00:00:{i % 60:02d}Z\n" for i in rows)


DIRTY = (
    "7,2024-02-30,1.00,no such day,2024-01-01T00:00:00Z\n"
    "8,2024-02-15,-1.00,below,2024-01-01T00:00:00Z\n"
    ",2024-02-15,1.00,no key,2024-01-01T00:00:00Z\n"
    "9,2024-02-15,1.005,too fine,2024-01-01\n"
    "10,2024-02-15\n"
    "11,2024-02-15,1.00,too,many,cells\n"
    "12,2024-02-15,1.00,odd,2024-01-01T02:00:00+02:00\n"
    "12,2024-02-15,2.00,again,2024-01-01T00:00:00Z\n"
)
CLEAN = (HEADER + clean(range(300))).encode()
QUOTED = "".join(
    f'{i},2024-03-01,1.00,"line ""one""\n{i},2024-03-01,2.00,two",2024-01-01T00:00:00Z\n' for i in range(200)
)
OBJECTS: dict[str, dict[str, bytes]] = {
    "one clean object": {"clean.csv": CLEAN},
    "objects with dirt and repeated keys": {
        "clean.csv": (HEADER + clean(range(150))).encode(),
        "dirty.csv": ("\ufeff" + HEADER + clean(range(100)) + DIRTY + clean(range(100, 200)) + DIRTY).encode(),
        "repeated far apart.csv": (HEADER + clean(range(150)) + clean(range(50, 200))).encode(),
        "packed.csv.gz": gzip.compress((HEADER + clean(range(500, 700)) + DIRTY).encode()),
    },
    "odd objects": {
        "quoted newlines.csv": (HEADER + QUOTED).encode(),
        "empty lines.csv": (HEADER + clean(range(90)) + "\n\n" + clean(range(90, 200))).replace("\n", "\r\n").encode(),
        "stray quote.csv": (HEADER + clean(range(200)) + '500,2024-03-01,1.00,5" pipe,2024-01-01T00:00:00Z\n').encode(),
        "lost delimiter.csv": (HEADER + clean(range(200)) + '600,2024-03-01,1.00,a"b,c"\n').encode(),
        "joined.csv": (HEADER + clean(range(150)) + "\ufeff" + HEADER + clean(range(150, 300))).encode(),
        "header only.csv": HEADER.encode(),
        "nothing.csv": b"",
        "other columns.csv": ("id,what\n" + "1,x\n" * 2000).encode(),
        "bad byte.csv": (HEADER + clean(range(200))).encode() + b"900,2024-02-15,1.00,\xff,2024-01-01T00:00:00Z\n",
    },
}


def put(s3: Any, run: int, objects: dict[str, bytes]) -> tuple[ClaimedLoad, ...]:
    loads = []
    for number, (name, body) in enumerate(objects.items()):
        key = f"things/{run}/{name}"
        version = s3.put_object(Bucket=RAW, Key=key, Body=body)["VersionId"]
        loads.append(
            ClaimedLoad(
                load_id=f"load-{number}", key=key, version_id=version, kind="put", generation=0, size=len(body),
                registered="", attempts=1, action="put", order=f"2024-01-01T00:00:00.000000Z/{key}/000000",
            )
        )  # fmt: skip
    return tuple(loads)


def claimed(s3: Any, the_plan: Plan, loads: tuple[ClaimedLoad, ...], engine: Engine) -> RunFolder:
    """A run of its own for each engine, with the same claim."""
    folder = RunFolder(s3, bucket=LAKE, dataset=the_plan.dataset, fence=next(RUNS))
    names = [*(column.name for column in the_plan.columns), *(name for name, _ in PROVENANCE)]
    folder.write_claim(
        Claim(
            dataset=the_plan.dataset, fence=folder.fence, run_id="things-1", started="", plan=the_plan, loads=loads,
            curated_ids={name: number for number, name in enumerate(names, 1)},
            rejects_ids={name: number for number, (name, _) in enumerate(REJECTS, 1)},
            groups=(Group(index=0, engine=engine, loads=tuple(load.load_id for load in loads)),),
        )
    )  # fmt: skip
    return folder


def salt_of(_: Plan) -> str:
    return "a salt for this test"


def both(spark: Any, tmp_path: Path, the_plan: Plan, loads: tuple[ClaimedLoad, ...]) -> tuple[GroupResult, GroupResult]:
    s3 = connect()
    one = on_lambda(
        claimed(s3, the_plan, loads, "lambda"), 0, s3=s3, raw_bucket=RAW, limits=LIMITS, scratch=tmp_path,
        timer=time.monotonic, salt_of=salt_of,
    )  # fmt: skip
    many = on_spark(
        claimed(s3, the_plan, loads, "glue"), 0, spark=spark, connect=connect, raw_bucket=RAW, limits=LIMITS,
        sizes=SMALL, timer=time.monotonic, salt_of=salt_of,
    )  # fmt: skip
    return one, many


def rows(s3: Any, result: GroupResult, kind: str, scratch: Path) -> tuple[Counter[str], str]:
    """All rows of one kind, and the Parquet schema with its field ids."""
    found: Counter[str] = Counter()
    schemas = set()
    for number, file in enumerate(file for file in result.files if file.kind == kind):
        path = scratch / f"{result.engine}-{kind}-{number}.parquet"
        s3.download_file(LAKE, file.uri.removeprefix(f"s3://{LAKE}/"), str(path))
        cells = duckdb.execute("SELECT * FROM read_parquet(?, hive_partitioning = false)", [str(path)]).fetchall()
        assert len(cells) == file.rows
        found.update(map(repr, cells))  # a list cannot be counted
        schemas.add(str(duckdb.execute("SELECT name, type, field_id FROM parquet_schema(?)", [str(path)]).fetchall()))
    assert len(schemas) <= 1
    return found, "".join(schemas)


def account(summary: LoadSummary) -> LoadSummary:
    """The account with its counts in an order of their own."""

    def ordered(counts: Any) -> Any:
        return tuple(sorted(counts, key=lambda item: (item.column or "", item.rule)))

    return replace(
        summary, rejects=ordered(summary.rejects), warnings=ordered(summary.warnings), stops=ordered(summary.stops)
    )


def assert_equal(one: GroupResult, many: GroupResult, scratch: Path) -> None:
    assert list(map(account, many.loads)) == list(map(account, one.loads))
    assert many.vanished == one.vanished
    for kind in ("data", "rejects"):
        assert rows(connect(), many, kind, scratch) == rows(connect(), one, kind, scratch)


@pytest.mark.parametrize("mode", ["append", "merge", "replace"])
@pytest.mark.parametrize("case", OBJECTS)
def test_engines_agree(spark: Any, tmp_path: Path, case: str, mode: Mode) -> None:
    loads = put(connect(), next(RUNS), OBJECTS[case])
    one, many = both(spark, tmp_path, plan(mode, partition=None if mode == "replace" else "day"), loads)
    assert_equal(one, many, tmp_path)
    assert sum(load.rows_read for load in many.loads) > 0


def test_engines_agree_on_json_lines(spark: Any, tmp_path: Path) -> None:
    lines = [json.dumps({"id": i, "day": "2024-02-15", "text": "two\nlines", "amount": i % 3 - 1}) for i in range(200)]
    lines[150] = lines[10]
    loads = put(connect(), next(RUNS), {"a.json": "\n".join(lines).encode()})
    reading = Reading(format="json", missing_columns="null")
    one, many = both(spark, tmp_path, replace(plan("append"), reading=reading), loads)
    assert_equal(one, many, tmp_path)
    assert [load.rows_read for load in many.loads] == [200]
    assert {count.rule for load in many.loads for count in load.rejects} == {"minimum", "primaryKey"}


def test_engines_agree_on_what_only_an_object_as_a_whole_can_break(spark: Any, tmp_path: Path) -> None:
    the_plan = replace(
        plan("append"),
        unique=(Unique(name="unique", columns=("text",)),),
        checks=(
            ObjectCheck(name="rowCount", column=None, measure="rows", operator="mustBe", bounds=(1,)),
            ObjectCheck(
                name="n", column=None, measure="query", operator="mustBe", bounds=(1,),
                sql='SELECT count(DISTINCT "day") + min("id") FROM "source"',
            ),
            ObjectCheck(
                name="d", column="amount", measure="repeat", operator="mustBe", bounds=(0,), columns=("amount",)
            ),
        ),
    )  # fmt: skip
    again = clean(range(300)) + clean(range(300, 320)).replace(",text 31", ",text 7")  # far from where it stood first
    objects = {"a.csv": (HEADER + again).encode(), "b.csv": CLEAN, "empty.csv": HEADER.encode(), "bad.csv": b"x\n"}
    one, many = both(spark, tmp_path, the_plan, put(connect(), next(RUNS), objects))
    assert_equal(one, many, tmp_path)
    assert [[measure.value for measure in load.measures] for load in many.loads] == [
        [310, 5, 0], [300, 5, 0], [0, None, 0], [],
    ]  # fmt: skip
    assert [count.rule for count in many.loads[0].rejects] == ["unique"]


def test_engines_agree_on_nested_and_protected_columns(spark: Any, tmp_path: Path) -> None:
    sluice = {"property": "sluice", "value": {"protect": "hash"}}
    the_plan = compiled(
        [
            {"name": "id", "logicalType": "integer", "primaryKey": True},
            {"name": "mail", "logicalType": "string", "unique": True, "customProperties": [sluice]},
            {"name": "tags", "logicalType": "array", "items": {"logicalType": "integer"}},
        ],
        format="json",
    )
    lines = [json.dumps({"id": i % 180, "mail": f"m{i % 190}", "tags": [i, "x" if i == 7 else 1]}) for i in range(200)]
    loads = put(connect(), next(RUNS), {"a.json": "\n".join(lines).encode()})
    one, many = both(spark, tmp_path, the_plan, loads)
    assert_equal(one, many, tmp_path)
    assert {count.rule: count.rows for count in many.loads[0].rejects} == {"type": 1, "unique": 9, "primaryKey": 10}


def test_objects_are_really_cut_and_spread(spark: Any) -> None:
    s3 = connect()
    loads = put(s3, next(RUNS), {"a.csv": OBJECTS["odd objects"]["quoted newlines.csv"], "b.csv": CLEAN})
    parts = cut(loads, plan("append"), spark=spark, connect=connect, bucket=RAW, part_bytes=4000)
    assert Counter(part.load.load_id for part in parts) == {"load-0": 4, "load-1": 4}
    assert [part.number for part in parts] == list(range(len(parts)))


def test_a_version_that_vanished_is_reported_by_both(spark: Any, tmp_path: Path) -> None:
    s3 = connect()
    loads = put(s3, next(RUNS), {"a.csv": CLEAN, "b.csv": CLEAN})
    s3.delete_object(Bucket=RAW, Key=loads[0].key, VersionId=loads[0].version_id)
    one, many = both(spark, tmp_path, plan("append"), loads)
    assert many.vanished == ("load-0",)
    assert_equal(one, many, tmp_path)


class DyingConnect:
    """Makes clients of which one, in whatever process, dies after the effect of its first put."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __call__(self) -> Any:
        client = boto3.client("s3")
        client.meta.events.register("after-call.s3.PutObject", self.die)
        return client

    def die(self, **_: Any) -> None:
        with suppress(FileExistsError):
            self.marker.touch(exist_ok=False)
            raise RuntimeError("the task dies after its upload")


def test_accounts_are_exact_when_tasks_are_repeated(spark: Any, tmp_path: Path) -> None:
    loads = put(connect(), next(RUNS), OBJECTS["objects with dirt and repeated keys"])
    marker = tmp_path / "died"
    dying = DyingConnect(marker)
    folder = claimed(connect(), plan("append"), loads, "glue")
    many = on_spark(
        folder, 0, spark=spark, connect=dying, raw_bucket=RAW, limits=LIMITS, sizes=SMALL, timer=time.monotonic
    )
    assert marker.exists()
    one = on_lambda(
        claimed(connect(), plan("append"), loads, "lambda"), 0, s3=connect(), raw_bucket=RAW, limits=LIMITS,
        scratch=tmp_path, timer=time.monotonic,
    )  # fmt: skip
    assert_equal(one, many, tmp_path)


def test_a_second_attempt_of_the_job_takes_the_first_result(spark: Any) -> None:
    loads = put(connect(), next(RUNS), {"a.csv": CLEAN})
    folder = claimed(connect(), plan("append"), loads, "glue")
    run = partial(
        on_spark, folder, 0, spark=spark, connect=connect, raw_bucket=RAW, limits=LIMITS, timer=time.monotonic
    )
    first = run(sizes=SMALL)
    assert run(sizes=PartSizes()) == first
    assert folder.group(0) == first
