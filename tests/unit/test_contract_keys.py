"""Which keys are data: the names that tools and readers use, and a contract's patterns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.contract.keys import nearest, passed_over
from sluice.contract.plan import Plan
from tests.unit.contract_case import compiled, refusal

ITEMS = Plan(dataset="items", version="1.0.0", mode="append")
DATA = (
    "a.csv",
    "sub/b.csv",
    "_day=1/a.csv",
    "day=_x/a.csv",
    "./a.csv",
    "../a.csv",
    "~a.csv",
    "manifest.csv",
    "a_$folder$b",
)
HIDDEN = (
    *("_SUCCESS", "_temporary/0/_temporary/attempt_1/part-00000.csv", "_committed_1", "_started_1", "_metadata"),
    *(".part-00000.csv.crc", "part.crc", ".hidden.csv", "x.csv.filepart", "x.csv._COPYING_", "sub_$folder$", "sub/"),
    *(".DS_Store", "sub/.DS_Store", "Thumbs.db", "manifest", "sub/manifest.json", ".spark-staging-1/day=1/a.csv"),
    *("__magic/job/tasks/t/__base/part.csv", "__MACOSX/._a.csv", "_delta_log/0000.json"),
)


@pytest.mark.parametrize("name", DATA)
def test_a_name_that_readers_show_is_data(name: str) -> None:
    assert passed_over(ITEMS, f"items/{name}", size=10) is None


@pytest.mark.parametrize("name", HIDDEN)
def test_a_name_that_readers_hide_is_no_data_under_any_wildcard(name: str) -> None:
    for include in ((), ("*",), ("**",), ("**/*.csv", "*.crc*", "?*/**")):
        assert passed_over(replace(ITEMS, include=include), f"items/{name}", size=10) is not None


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("_temporary/0/*.csv", "_temporary/0/a.csv"), ("*.crc", "a.crc"), ("**/manifest.json", "a/b/manifest.json"),
     (".*", ".hidden.csv"), ("_*/**", "_corrections/a/b.csv")],
)  # fmt: skip
def test_a_pattern_that_spells_out_what_is_hidden_includes_it(pattern: str, name: str) -> None:
    assert passed_over(replace(ITEMS, include=(pattern,)), f"items/{name}", size=10) is None


@pytest.mark.parametrize(
    ("name", "is_marker"),
    [("DONE", True), ("2024", True), ("a.csv.done", True), ("a.OK", True), ("a.csv", False), ("a.json.gz", False)],
)
def test_an_empty_object_is_a_marker_only_where_its_name_is_no_files(name: str, is_marker: bool) -> None:
    assert (passed_over(ITEMS, f"items/{name}", size=0) is not None) == is_marker
    assert passed_over(ITEMS, f"items/{name}", size=1) is None


def test_patterns_of_a_contract_are_about_the_key_below_the_folder_and_exclude_goes_first() -> None:
    plan = compiled([{"name": "a", "logicalType": "string"}], include=["2024/**/*.csv"], exclude=["old*"])
    shown = {
        name: passed_over(plan, f"things/{name}", size=1) is None
        for name in ("2024/a.csv", "2024/1/2/a.csv", "2024/1/old.csv", "2023/a.csv", "2024/a.txt", "x/2024/a.csv")
    }
    assert [name for name, is_data in shown.items() if is_data] == ["2024/a.csv", "2024/1/2/a.csv"]


@pytest.mark.parametrize("pattern", ["/a.csv", "a//b", "a/", ""])
def test_a_pattern_that_no_key_can_match_is_refused(pattern: str) -> None:
    assert "patterns of keys below" in str(refusal([{"name": "a", "logicalType": "string"}], exclude=[pattern]))


def test_the_nearest_dataset_is_named_for_a_folder_that_is_spelt_otherwise() -> None:
    datasets = ("orders", "order_lines", "fx_rates")
    assert [nearest(name, datasets) for name in ("Orders", "order-lines", "ordres", "fxrates", "zebra")] == [
        *("orders", "order_lines", "orders", "fx_rates"),
        None,
    ]
