"""No row value leaves the tables: canaries in every cell of every input, looked for everywhere else.

Logs, metrics (which are in the logs), state machine payloads and histories, error messages, ledger items, queues, and
the files by which steps of a run talk. Curated tables, rejects and marts hold values; that is what they are for.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from sluice.cli.demo import source
from sluice.cli.target import Target
from sluice.local.cloud import LocalCloud
from sluice.local.faults import Fault
from sluice.local.principals import ACCOUNT

ROOT = Path(__file__).parents[2]
LAMBDA_BYTES = 50_000  # a file beyond it goes to Spark
CANARY = re.compile(r"canary\d{5}", re.IGNORECASE)
NUMBERS = itertools.count(10_000)

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200), pytest.mark.xdist_group("canaries")]


def canary() -> str:
    return f"canary{next(NUMBERS)}"


def spoilt(content: bytes, *, rows: int = 30) -> bytes:
    """The first rows of a CSV file, then one row for each column with a canary in it, and one of canaries only."""
    header, *lines = list(csv.reader(io.StringIO(content.decode())))[: rows + 1]
    good = len(lines)
    for column in range(len(header)):
        line = list(lines[column % good])
        line[column] = canary()
        lines.append(line)
    lines += [[canary() for _ in header], [canary()], [*lines[0], canary()]]  # and too few cells, and too many
    return written([header, *lines])


def written(lines: list[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(lines)
    return buffer.getvalue().encode()


def inputs() -> Iterator[tuple[str, bytes]]:
    """Every file that is sent: readable ones, and each way of being unreadable."""
    flights = b"".join(itertools.islice(source.year_of_flights().splitlines(keepends=True), 500))
    yield "flights/2013-01.csv", spoilt(flights)
    yield "flights_year/2013.csv", spoilt(flights, rows=490)  # Spark
    for dataset in source.REFERENCE:
        yield f"{dataset}/{dataset}.csv", spoilt(source.reference_file(dataset).read_bytes())
    header, line = flights.splitlines()[:2]
    columns = header.decode().split(",")
    yield "flights/no-header.csv", written([[canary() for _ in columns]] * 2)
    yield "flights/other-header.csv", written([[*columns[:-1], canary()], line.decode().split(",")])
    yield "flights/not-utf8.csv", header + b"\n" + canary().encode() + b"\xff\xfe,\n"
    yield "flights/unclosed.csv", header + b'\n"' + canary().encode() + b"\n" + line + b"\n"
    yield "flights/not-gzip.csv.gz", canary().encode() * 3
    yield "flights/cut.csv.gz", gzip.compress(spoilt(flights))[:-200]
    yield "flights/nul.csv", header + b"\n" + canary().encode() + b"\x00\n"
    yield "flights/long-cell.csv", header + b"\n" + canary().encode() + b"x" * 5_000_000 + b"\n"
    yield "flights/no-data.csv", canary().encode()


@dataclass(frozen=True)
class Traces:
    """What was planted, and every text that is no table, by where it was found."""

    planted: frozenset[str]
    kept: frozenset[str]  # in tables, where they belong
    texts: Mapping[str, str]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traces]:
    folder, data = tmp_path_factory.mktemp("canaries") / "cdk.out", tmp_path_factory.mktemp("data")
    context = json.dumps({"lambda_max_bytes": str(LAMBDA_BYTES), "max_attempts": "2"})
    environ = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": context}
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environ, check=True)
    files = dict(inputs())
    with LocalCloud(folder, data=data) as cloud, mock.patch.dict(os.environ, cloud.environment()):
        target = Target.from_environment(os.environ)
        for key, content in files.items():
            cloud.client("s3").put_object(Bucket=target.raw_bucket, Key=key, Body=content)
        cloud.wait_until_quiet(300)
        cloud.inject(Fault(match=("s3", "PutObject"), times=300, resource="/tables/airports/"))
        body = spoilt(source.reference_file("airports").read_bytes())
        cloud.client("s3").put_object(Bucket=target.raw_bucket, Key="airports/airports.csv", Body=body)
        cloud.wait_until_quiet(120)
        cloud.gateway.faults.clear()
        cloud.tick("reconcile")
        cloud.wait_until_quiet(120)
        planted = found_in(*(content.decode("utf-8", "replace") for content in [*files.values(), body]))
        yield Traces(planted=planted, kept=kept(target), texts=dict(texts(cloud, target, data)))


def found_in(*contents: str) -> frozenset[str]:
    return frozenset(name.lower() for content in contents for name in CANARY.findall(content))


def kept(target: Target) -> frozenset[str]:
    catalog = target.catalog()
    tables = [catalog.load_table(name).scan().to_arrow() for name in catalog.list_tables(target.database)]
    return found_in(*(str(table.to_pylist()) for table in tables))


def texts(cloud: LocalCloud, target: Target, data: Path) -> Iterator[tuple[str, str]]:
    for log in (data / "logs").iterdir():
        yield f"log {log.name}", log.read_text(errors="replace")
    for machine in stepfunctions_parser_backends[ACCOUNT][cloud.region].state_machines:
        for run in machine.executions:
            yield f"execution {run.name}", json.dumps(run.to_history_output(), default=str)
    for run in cloud.executions():
        yield f"outcome {run.name}", json.dumps([run.input, run.output, run.error, run.cause], default=str)
    items = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=target.ledger_table)
    yield "ledger", json.dumps([item for page in items for item in page["Items"]], default=str)
    s3 = cloud.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=target.lake_bucket, Prefix="runs/"):
        for entry in page.get("Contents", []):
            body = s3.get_object(Bucket=target.lake_bucket, Key=entry["Key"])["Body"].read()
            yield f"run file {entry['Key']}", body.decode("utf-8", "replace")
    yield "undelivered", str([event.reason for event in cloud.undelivered])
    yield "denied", str(cloud.guard.denied if cloud.guard else "")


def test_canaries_were_planted_and_the_tables_hold_them(traces: Traces) -> None:
    assert len(traces.planted) > 100
    assert len(traces.kept) > 100
    assert len(traces.texts) > 30


def test_no_canary_is_where_no_row_value_belongs(traces: Traces) -> None:
    leaks = {place: sorted(found_in(text)) for place, text in traces.texts.items() if found_in(text)}
    print(f"\n{len(traces.planted)} planted, {len(traces.kept)} kept in tables, {len(traces.texts)} places searched")
    assert leaks == {}
