"""Rejected records of one object version as a file to be repaired, and which rejects such a file has closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sluice.cli.exits import CommandError
from sluice.cli.repair import closed, write_repairable
from sluice.contract.repairs import identity
from sluice.ledger.model import load_id
from tests.unit.test_kernel_excerpt import PLAN

REJECTED = identity("orders/a.csv", "v1")
KEY = f"orders/repaired-{REJECTED}-20261101T120000000000Z-000000-a.csv.csv"


@dataclass
class Account:
    """A raw bucket's listing and a ledger's loads, as `sluice rejects` finds them."""

    versions: list[tuple[str, bool]]  # version ids of the repaired object, and whether each is its newest version
    states: dict[str, str]  # of their loads
    raw_bucket: str = "raw"
    key: str = KEY

    def client(self, _service: str) -> Any:
        items = [{"Key": self.key, "VersionId": version, "IsLatest": latest} for version, latest in self.versions]
        found: Any = lambda **call: [{"Versions": items if self.key.startswith(call["Prefix"]) else []}]  # noqa: E731
        pages = SimpleNamespace(paginate=found)
        return SimpleNamespace(get_paginator=lambda _name: pages)

    def ledger(self) -> Any:
        loads = {
            load_id("raw", self.key, version): SimpleNamespace(state=state) for version, state in self.states.items()
        }
        return SimpleNamespace(find=lambda _dataset, load: loads.get(load))


@pytest.mark.parametrize(
    ("versions", "states", "expected"),
    [
        ([("m1", True)], {"m1": "DONE"}, {REJECTED}),
        ([("m1", True)], {"m1": "PENDING"}, set()),
        ([("m1", True)], {}, set()),
        ([("m2", True), ("m1", False)], {"m1": "DONE", "m2": "PENDING"}, set()),  # it is sent again: wait
        ([("m1", False)], {"m1": "DONE"}, set()),  # it was deleted with its rows: the rejects are open again
    ],
)
def test_a_repaired_file_closes_rejects_when_its_newest_version_is_loaded(
    versions: list[tuple[str, bool]], states: dict[str, str], expected: set[str]
) -> None:
    account: Any = Account(versions, states)
    assert closed(account, "orders") == expected


def test_a_file_that_release_0_1_0_called_mended_closes_its_rejects() -> None:
    account: Any = Account([("m1", True)], {"m1": "DONE"}, key=f"orders/mended-{REJECTED}.csv")
    assert closed(account, "orders") == {REJECTED}


class Bucket:
    """Two versions of one object; the newer one has other records."""

    raw_bucket = "raw"

    def client(self, _service: str) -> Any:
        return self

    def download_file(self, _bucket: str, _key: str, path: str, ExtraArgs: dict[str, str]) -> None:  # noqa: N803
        Path(path).write_text("id,text\nx,old\n" if ExtraArgs.get("VersionId") == "v1" else "id,text\ny,new\n")


def test_the_records_of_the_version_that_was_rejected_are_written_and_never_over_repaired_ones(tmp_path: Path) -> None:
    broken = {
        ("orders/a.csv", "v1"): [
            {"row_number": 1, "object_order": "2026-11-01T12:00:00.000000Z/orders/a.csv/000000", "column": "id"}
        ]
    }
    bucket: Any = Bucket()
    (made,) = write_repairable(bucket, PLAN, broken, tmp_path, progress=print).files
    assert made.path.name == f"repaired-{REJECTED}-20261101T120000000000Z-000000-a.csv.csv"
    assert made.path.read_text() == "id,text\nx,old\n"
    with pytest.raises(CommandError, match="is there already"):
        write_repairable(bucket, PLAN, broken, tmp_path, progress=print)
