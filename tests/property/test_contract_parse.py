"""Hostile and mutated contracts: a plan or a ContractError, never anything else, and values never become SQL."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from sluice.contract.compile import compile_plan
from sluice.contract.model import Dataset, Options, Position, Property
from sluice.contract.odcs import parse
from sluice.contract.plan import Plan
from sluice.errors import ContractError

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: t
version: "1"
status: active
schema:
  - name: t
    customProperties:
      - property: sluice
        value: {mode: merge, nullTexts: ["", NA], delimiter: ";"}
    properties:
      - name: k
        logicalType: integer
        primaryKey: true
        primaryKeyPosition: 1
      - name: at
        logicalType: timestamp
        partitioned: true
        customProperties: [{property: sluice, value: {partitionTransform: day}}]
        logicalTypeOptions: {minimum: "2020-01-01", format: "yyyy-MM-dd HH:mm:ss"}
      - name: s
        logicalType: string
        logicalTypeOptions: {pattern: "^a+$", maxLength: 5}
        quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [a, aa]}}]
      - name: x
        logicalType: number
        physicalType: decimal(9,2)
        transformLogic: k * 1.5
"""
LINES = CONTRACT.splitlines(keepends=True)
PIECES = st.sampled_from(
    [*"{}[]:&*!|>'\"%@`#,-?\t\n 0", "null", "true", "1e999", "-1", ".nan", "*a", "&a ", "<<: ", "99" * 20, "~"]
)
QUICK = settings(deadline=None, phases=set(Phase) - {Phase.explain})


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def outcome(text: str) -> Plan | ContractError:
    try:
        return compile_plan(parse(text, file="t.odcs.yaml"))
    except ContractError as error:
        return error


def test_the_contract_that_is_mutated_here_compiles() -> None:
    assert isinstance(outcome(CONTRACT), Plan)


@given(position=st.integers(0, len(CONTRACT)), cut=st.integers(0, 12), piece=PIECES)
@settings(QUICK, max_examples=150)
def test_a_spoilt_contract_is_refused_or_still_a_plan(position: int, cut: int, piece: str) -> None:
    made = outcome(CONTRACT[:position] + piece + CONTRACT[position + cut :])
    if isinstance(made, Plan):
        assert Plan.from_json(made.to_json()) == made
    else:
        assert made.remedy


@given(
    line=st.integers(0, len(LINES) - 1),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=3,
    ),
)
@settings(QUICK, max_examples=150)
def test_a_value_of_any_shape_in_any_field_is_refused_or_still_a_plan(line: int, value: object) -> None:
    head = LINES[line].partition(":")[0]
    made = outcome("".join([*LINES[:line], f"{head}: {value!r}\n", *LINES[line + 1 :]]))
    assert isinstance(made, Plan | ContractError)


@given(text=st.text(max_size=60))
@settings(QUICK, max_examples=100)
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    assert isinstance(outcome(text), ContractError)


TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)


@given(header=TEXT.filter(bool), values=st.lists(TEXT, min_size=1, max_size=3), other=TEXT)
@example(header='"; DROP TABLE t; --', values=["'; DROP TABLE t; --", "\\'", "$1"], other="' OR true --")
@settings(QUICK, max_examples=60)
def test_headers_and_values_stay_what_they_are(
    connection: duckdb.DuckDBPyConnection, header: str, values: list[str], other: str
) -> None:
    source = Position("t.odcs.yaml")
    item = Property(
        name="s", physical_name=header, logical_type="string", enum=tuple(values), source=source,
        options=Options(max_length=12),
    )  # fmt: skip
    made = compile_plan(Dataset(name="t", version="1", properties=(item,), source=source))
    (enum,) = [rule for rule in made.rules if rule.name == "enum"]
    cell = made.columns[0].cast
    rows = connection.execute(
        f"SELECT text, {enum.predicate} FROM"
        f" (SELECT {cell} AS text, {cell} AS s FROM (SELECT unnest($1) AS {cell}))", [[*values, other]]
    ).fetchall()  # fmt: skip
    assert rows == [(text, text in values) for text in [*values, other]]
