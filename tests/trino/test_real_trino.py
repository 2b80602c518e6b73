"""A real Trino over the offline AWS: tables read alike, marts are valid, both engines answer alike or ours refuses.

Skipped where Trino is not installed: `make trino` fetches it. Other seeds: SLUICE_SEED=7 make prove.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest

from sluice.cli.demo.source import months, reference_file, year_of_flights
from sluice.lake.catalog import connect
from sluice.local.athena import Scans
from sluice.local.cloud import LocalCloud
from sluice.local.trino import find, start
from sluice.project import load_project

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
SEED = int(os.environ.get("SLUICE_SEED", "20261201"))
RANDOM = 1000

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(600),
    pytest.mark.skipif(find() is None, reason="Trino is not installed: make trino"),
]


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"trino_{name}", HERE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


world = _module("world")
random_expressions = _module("random_expressions").random_expressions


@pytest.fixture(scope="module")
def both(assembly: Path) -> Iterator[Any]:
    """A small lake with every kind of table, read by both engines."""
    with LocalCloud(assembly) as cloud, mock.patch.dict(os.environ, cloud.environment()):
        s3, raw = cloud.client("s3"), cloud.outputs["RawBucket"]
        for dataset in ("airlines", "airports", "planes", "weather"):
            s3.put_object(Bucket=raw, Key=f"{dataset}/{dataset}.csv", Body=reference_file(dataset).read_bytes())
        for month, lines in months(year_of_flights()).items():
            if month in (2, 12):
                spoilt = lines[50].replace(b",2013,", b",x,", 1)
                body = b"".join([*lines[:2000], spoilt.replace(b"2013", b"20x3", 1)])
                s3.put_object(Bucket=raw, Key=f"flights/2013-{month:02d}.csv", Body=body)
        cloud.wait_until_quiet(180)
        environment = cloud.environment()
        keys = (environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        database, lake = environment["SLUICE_DATABASE"], environment["SLUICE_LAKE_BUCKET"]
        catalog = connect(boto3.Session(), endpoint=cloud.endpoint)
        for name, rows in (("battery", world.battery()), ("nested", world.nested())):
            table = catalog.create_table((database, name), rows.schema, location=f"s3://{lake}/tables/{name}")
            table.append(rows)
        place = {"endpoint": cloud.endpoint, "region": cloud.region, "database": database}
        with start(find(), access_key=keys[0], secret_key=keys[1], **place) as trino:
            yield world.Both(trino=trino, keys=keys, scans=Scans(), **place)


def test_every_curated_rejects_and_mart_table_is_read_alike_by_trino(both: Any) -> None:
    tables = [name for (name,) in both.offline("SHOW TABLES").rows]
    assert {"flights", "flights__rejects", "routes", "delay_by_conditions"} <= set(tables)
    verdicts = both.compare([f"SELECT * FROM {name}" for name in tables])
    assert {sql: verdict for sql, verdict in verdicts.items() if verdict[0] != "same"} == {}
    assert both.offline("SELECT count(*) FROM flights__rejects").rows != [(0,)]


def test_every_mart_is_valid_in_trino_and_gives_the_rows_that_its_table_holds(both: Any) -> None:
    for mart in load_project(ROOT).marts:
        assert both.trino.ask(f"EXPLAIN (TYPE VALIDATE) {mart.sql}").rows == [(True,)]
        assert not world.rows_differ(both.trino.ask(mart.sql).rows, both.real(f"SELECT * FROM {mart.name}").rows)


def test_random_expressions_are_answered_as_trino_does_or_refused(both: Any) -> None:
    expressions = list(dict.fromkeys(random_expressions(SEED, RANDOM)))
    verdicts = both.compare_expressions(expressions, where="WHERE id NOT IN (2, 3, 4)")
    _account(f"random, seed {SEED}", verdicts)


def test_the_battery_of_expressions_is_answered_as_trino_does_or_refused(both: Any) -> None:
    lines = (HERE / "expressions.sql").read_text(encoding="utf-8").splitlines()
    verdicts = both.compare_expressions(lines, where="WHERE id NOT IN (3, 4)")
    _account("expressions", verdicts)


def test_the_battery_of_statements_is_answered_as_trino_does_or_refused(both: Any) -> None:
    verdicts = both.compare((HERE / "statements.sql").read_text(encoding="utf-8").splitlines())
    _account("statements", verdicts)


def _account(name: str, verdicts: dict[str, tuple[str, str]]) -> None:
    kinds = [kind for kind, _ in verdicts.values()]
    print(f"{name}: {kinds.count('same')} same, {kinds.count('refused')} refused offline, "
          f"{kinds.count('different')} different")  # fmt: skip
    different = [f"{sql}\n    {told}" for sql, (kind, told) in verdicts.items() if kind == "different"]
    assert not different, "\n".join(different)
    assert kinds.count("same") > len(kinds) // 3
