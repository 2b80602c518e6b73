"""The Python API without an AWS: what it costs to import, and files that break a contract in every way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sluice
from sluice.errors import ContractError, SluiceError
from tests.e2e.test_readme_commands import ORDERS, bare_environment, example


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "orders.odcs.yaml").write_text(example())
    return tmp_path


def test_importing_sluice_imports_no_library() -> None:
    script = (
        "import sys, sluice; heavy = {'pyarrow', 'duckdb', 'pandas', 'boto3', 'typer', 'yaml'}; "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & heavy), sluice.__all__)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == f"[] {sluice.__all__}\n"


def test_accepted_rows_rejects_and_refused_files_are_told_apart(folder: Path) -> None:
    (folder / "good.csv").write_text(ORDERS)
    (folder / "bad.csv").write_text("order_id,placed_on,amount\n9,2024-02-30,1.00\n")
    (folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    project = sluice.load_project(folder)
    names = [folder / name for name in ("good.csv", "bad.csv", "picture.csv")]
    checked = sluice.check(project, "orders", *names)
    assert not checked.ok
    assert checked.accepted.column("order_id").to_pylist() == [1, 2, 3]
    assert checked.rejects.filter(checked.rejects["row_number"].is_valid()).column("rule").to_pylist() == ["type"]
    assert list(checked.summary.refused) == ["picture.csv"]
    assert (checked.summary.rows_read, checked.summary.rows_rejected) == (4, 1)


def test_no_accepted_row_at_all_is_an_empty_table_with_the_columns(folder: Path) -> None:
    (folder / "bad.csv").write_text("order_id,placed_on,amount\n9,2024-02-30,1.00\n")
    (folder / "good.csv").write_text(ORDERS)
    project = sluice.load_project(folder)
    none, some = (sluice.check(project, "orders", folder / name) for name in ("bad.csv", "good.csv"))
    assert (none.accepted.num_rows, none.accepted.column_names) == (0, some.accepted.column_names)
    assert (some.rejects.num_rows, some.rejects.column_names) == (0, none.rejects.column_names)


def test_what_is_not_there_is_said_with_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ContractError, match="name one of orders"):
        sluice.check(sluice.load_project(folder), "ordres")
    for name in os.environ.keys() - bare_environment().keys():
        monkeypatch.delenv(name)
    with pytest.raises(SluiceError, match="sluice up"):
        sluice.connect(folder=folder)
