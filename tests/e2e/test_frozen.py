"""Frozen versions by the users' door: upload, freeze, change, freeze again, prove, compare, remove."""

from __future__ import annotations

import itertools
import json

import pytest
from typer.testing import CliRunner

from sluice import frozen
from sluice.cli.demo import source
from sluice.cli.main import app

ROWS = 400
pytestmark = [pytest.mark.proof, pytest.mark.usefixtures("lake")]


@pytest.fixture(scope="module")
def lake(world):
    for dataset in ("planes", "weather"):
        world.put(f"{dataset}/{dataset}.csv", source.reference_file(dataset).read_bytes())
    world.put("flights/2013-01.csv", _flights(ROWS))
    world.cloud.wait_until_quiet(240)
    return world


def _flights(rows, start=0):
    header, *lines = itertools.islice(source.year_of_flights().splitlines(keepends=True), rows + 1)
    return header + b"".join(lines[start:])


def sluice(*words, code=0):
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout.splitlines()[-1])


def test_the_same_inputs_are_one_version_and_nothing_is_written_again(lake, root):
    first = sluice("freeze", "late_flights", "--project", str(root))
    assert first["new"]
    assert sum(first["split"].values()) == first["rows"] > ROWS // 2
    s3, bucket = lake.cloud.client("s3"), lake.target.lake_bucket
    prefix = f"frozen/late_flights/{first['id']}/"
    before = s3.list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"]
    again = sluice("freeze", "late_flights", "--project", str(root))
    assert not again["new"]
    assert again["id"] == first["id"]
    assert s3.list_object_versions(Bucket=bucket, Prefix=prefix)["Versions"] == before
    leftovers = s3.list_object_versions(Bucket=bucket, Prefix="frozen/late_flights/building/")
    assert "Versions" not in leftovers


def test_a_version_is_proven_from_bytes_rows_snapshots_and_raw_objects(root):
    sluice("freeze", "late_flights", "--project", str(root))
    proofs = sluice("frozen", "verify", "late_flights", "--raw")["proofs"]
    assert [(proof["name"], proof["holds"]) for proof in proofs] == [
        ("bytes", True), ("rows", True), ("snapshots", True), ("raw", True),
    ]  # fmt: skip


def test_a_corrected_file_makes_another_version_and_diff_names_rows_and_object(lake, root):
    before = sluice("freeze", "late_flights", "--project", str(root))
    lake.put("flights/2013-01.csv", _flights(ROWS, start=10).replace(b",UA,", b",XX,"))
    lake.cloud.wait_until_quiet(240)
    after = sluice("freeze", "late_flights", "--project", str(root))
    assert after["new"]
    assert after["id"] != before["id"]
    told = sluice("frozen", "diff", f"late_flights@{before['id']}", "late_flights@latest")
    assert told["removed"] == before["rows"] - after["rows"]
    assert told["columns"]["carrier"] > 0
    assert {"kind": "object", "what": "flights/2013-01.csv of flights was overwritten"} in told["causes"]
    frame = frozen.load(f"late_flights@{before['id']}")
    assert len(frame) == before["rows"]
    assert "XX" not in set(frame["carrier"])
    old = sluice("frozen", "verify", f"late_flights@{before['id']}", "--raw")
    assert old["ok"], old


def test_as_of_reads_the_tables_as_they_were(root):
    listed = sluice("frozen", "list", "late_flights")["versions"]
    oldest = listed[-1]
    known = sluice("frozen", "show", f"late_flights@{oldest['id']}")
    assert known["pins"]
    manifest = frozen.read(f"late_flights@{oldest['id']}")
    moment = max(pin.committed for pin in manifest.pins)
    again = sluice("freeze", "late_flights", "--as-of", moment, "--project", str(root))
    assert again["pins"] == known["pins"]
    assert again["id"] == oldest["id"]


def test_changed_bytes_are_noticed(lake):
    manifest = frozen.read("late_flights")
    s3, bucket = lake.cloud.client("s3"), lake.target.lake_bucket
    (file,) = manifest.files
    body = s3.get_object(Bucket=bucket, Key=file.key)["Body"].read()
    # A newer version of the object is not what was frozen, and is never read; the pinned one is.
    s3.put_object(Bucket=bucket, Key=file.key, Body=body[:-1])
    assert sluice("frozen", "verify", "late_flights")["ok"]
    s3.delete_object(Bucket=bucket, Key=file.key, VersionId=file.version_id)
    told = sluice("frozen", "verify", "late_flights", code=1)
    assert [proof["holds"] for proof in told["proofs"]] == [False, True]


def test_a_removed_version_leaves_no_object_and_no_tag(lake):
    manifest = frozen.read("late_flights")
    sluice("frozen", "rm", f"late_flights@{manifest.id}", "--yes")
    left = lake.cloud.client("s3").list_object_versions(
        Bucket=lake.target.lake_bucket, Prefix=f"frozen/late_flights/{manifest.id}/"
    )
    assert "Versions" not in left
    table = lake.target.catalog().load_table((lake.target.database, "flights"))
    assert not [name for name in table.metadata.refs if manifest.id in name]
