"""`sluice why`: rows and files of different fates, each against what was done to them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sluice.cli.main import app

AIRLINES = "carrier,name\nAA,American Airlines Inc.\n"
pytestmark = [
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),  # awswrangler's use of pandas
]


@pytest.fixture(scope="module", autouse=True)
def delivered(world):
    """In a table that shows its newest file: two files, one of them twice, with a bad row; a picture; a hidden key."""
    for key, body in (
        ("a.csv", AIRLINES),
        ("b.csv", AIRLINES + "UA,United Air Lines Inc.\n"),
        ("b.csv", AIRLINES + "UA,United\nthis is no carrier,Nobody\n"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
        ("_SUCCESS", ""),
    ):
        world.put(f"airlines/{key}", body)
        world.cloud.wait_until_quiet(120)


def why(root, *words, code=0):
    done = CliRunner().invoke(app, ["why", *words, "--project", str(root), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout.splitlines()[-1])


def test_a_row_names_its_object_its_record_and_the_text_that_stands_there(world, root):
    (row,) = why(root, "airlines", "--key", "carrier=UA")["rows"]
    assert row["values"] == {"carrier": "UA", "name": "United"}
    assert (row["key"], row["record"]) == ("airlines/b.csv", 2)
    assert row["raw"] == "carrier,name\nUA,United"
    assert row["load"]["state"] == "DONE"
    assert row["run"]["run_id"].startswith("airlines-")
    assert len(row["delivered_again"]) == 1  # the version before
    assert "required(carrier)" in row["rules"]
    listing = world.cloud.client("s3").list_object_versions(Bucket=world.target.raw_bucket, Prefix="airlines/b.csv")
    newest = next(item["VersionId"] for item in listing["Versions"] if item["IsLatest"])
    assert row["version_id"] == newest != row["delivered_again"][0]["version_id"]


def test_a_condition_in_sql_finds_rows_too(root):
    found = why(root, "airlines", "--where", "name LIKE 'American%'")["rows"]
    assert [row["values"]["carrier"] for row in found] == ["AA"]


def test_a_rejected_record_is_found_by_its_values_with_the_rule_it_broke(root):
    told = why(root, "airlines", "--key", "name=Nobody")
    assert told["rows"] == []
    rejected = [reason for reason in told["reasons"] if reason["fate"] == "rejected"]
    assert [(one["key"], one["record"]) for one in rejected] == [("airlines/b.csv", 3)]
    assert rejected[0]["detail"].startswith("carrier: ")


def test_values_that_stand_nowhere_get_no_reject_and_the_refused_file_is_named(root):
    told = why(root, "airlines", "--key", "carrier=ZZ")
    assert [reason["fate"] for reason in told["reasons"] if reason["fate"] == "rejected"] == []
    assert "airlines/picture.csv" in {one["key"] for one in told["reasons"] if one["fate"] == "refused"}


@pytest.mark.parametrize(
    ("file", "fates"),
    [
        ("a.csv", ["replaced"]),
        ("b.csv", ["replaced", "loaded"]),
        ("picture.csv", ["refused"]),
        ("_SUCCESS", ["passed over"]),
        ("nothing.csv", ["never delivered"]),
    ],
)
def test_a_file_tells_its_fate(root, file, fates):
    assert [reason["fate"] for reason in why(root, "airlines", "--file", file)["reasons"]] == fates


def test_a_key_of_no_dataset_is_passed_over_with_the_nearest_name(root):
    (reason,) = why(root, "airline", "--file", "airline/a.csv")["reasons"]
    assert reason["fate"] == "passed over"
    assert "airlines" in reason["detail"]


def test_a_column_that_is_not_there_is_an_error_that_lists_the_columns(root):
    done = CliRunner().invoke(app, ["why", "airlines", "--key", "carier=UA", "--project", str(root)])
    assert done.exit_code == 2
    assert "carrier" in done.stderr


def test_a_deleted_file_says_so(world, root):
    world.cloud.client("s3").delete_object(Bucket=world.target.raw_bucket, Key="airlines/a.csv")
    world.cloud.wait_until_quiet(120)
    fates = [reason["fate"] for reason in why(root, "airlines", "--file", "a.csv")["reasons"]]
    assert fates[-1] == "deleted"
