"""The options that say how files are written: what they mean in a plan, and which cannot be honoured."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from sluice.contract.compile import compile_plan
from sluice.contract.model import Spelling
from sluice.contract.odcs import parse
from sluice.contract.plan import EXTRA, Plan, Reading
from sluice.contract.spelling import spelled_cast
from sluice.errors import ContractError
from tests.unit.test_contract_parse import options, orders, prop


def plan(**values: Any) -> Plan:
    return compile_plan(parse(orders(lambda document: options(document).update(values)), file="orders.odcs.yaml"))


@pytest.mark.parametrize(
    ("values", "reading"),
    [
        ({"delimiter": "||"}, {"delimiter": "||"}),
        ({"delimiter": ", "}, {"delimiter": ", "}),
        ({"quote": "", "escape": "\\"}, {"quote": "", "escape": "\\"}),
        ({"escape": ""}, {"escape": ""}),
        ({"quote": "'"}, {"quote": "'", "escape": "'"}),
        ({"recordEnd": "LF"}, {"record_end": "\n"}),
        ({"recordEnd": "crlf"}, {"record_end": "\r\n"}),
        ({"recordEnd": "\r"}, {"record_end": "\r"}),
        ({"recordEnd": "|\n"}, {"record_end": "|\n"}),
        ({"headerLines": 3, "skipLines": 2, "skipFooter": 1}, {"header_lines": 3, "skip_lines": 2, "skip_footer": 1}),
        ({"comment": "#"}, {"comment": "#"}),
        ({"blanks": "trim", "raggedRows": "fill"}, {"blanks": "trim", "ragged_rows": "fill"}),
        ({"strayQuotes": "reject"}, {"stray_quotes": "reject"}),
        ({"encoding": "UTF-16LE"}, {"encoding": "utf-16-le"}),
        ({"encoding": "Windows-1251"}, {"encoding": "windows-1251"}),
    ],
)
def test_option_says_how_files_are_read(values: dict[str, Any], reading: dict[str, Any]) -> None:
    made = plan(**values)
    assert made.reading == Reading(**reading)
    assert Plan.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"delimiter": ""}, "delimiter is ''"),
        ({"delimiter": "x" * 17}, "delimiter is 'xxx"),
        ({"delimiter": "a\n"}, "delimiter is 'a\\n'"),
        ({"delimiter": '"|'}, "delimiter '\"|' and quote '\"' are not told apart"),
        ({"delimiter": "|\\", "escape": "\\"}, "and escape '\\\\' are not told apart"),
        ({"quote": " "}, "quote is ' '"),
        ({"recordEnd": '"\n'}, "recordEnd '\"\\n' and quote"),
        ({"recordEnd": "CLRF"}, "recordEnd is 'CLRF'"),
        ({"recordEnd": ";", "delimiter": ";"}, "the delimiter holds the end of a record"),
        ({"comment": ",,"}, "a comment begins with the delimiter"),
        ({"comment": '"#'}, "comment '\"#' and quote"),
        ({"headerLines": 0}, "a header of no lines"),
        ({"header": False, "headerLines": 2}, "a header of no lines"),
        ({"skipFooter": -1}, "skipFooter is -1"),
        ({"blanks": "strip"}, "blanks is 'strip'"),
        ({"raggedRows": True}, "raggedRows is True"),
        ({"strayQuotes": "ignore"}, "strayQuotes is 'ignore'"),
        ({"strayQuotes": "text", "quote": ""}, "strayQuotes has no effect without a quote character"),
        ({"encoding": "utf-7"}, "encoding 'utf-7' is not supported yet"),
        ({"decimalSeparator": "5"}, "decimalSeparator is '5'"),
        ({"decimalSeparator": ",", "thousandsSeparator": ","}, "the same separator ','"),
        ({"trueTexts": ["yes"]}, "trueTexts without falseTexts"),
        ({"trueTexts": ["x"], "falseTexts": ["x"]}, "'x' is both true and false"),
        ({"unknownColumns": "take"}, "unknownColumns: take and extraColumn go together"),
        ({"extraColumn": "state"}, "unknownColumns: take and extraColumn go together"),
        ({"unknownColumns": "take", "extraColumn": "nope"}, "extraColumn names 'nope'"),
        ({"unknownColumns": "take", "extraColumn": "amount"}, "property amount cannot take unknown columns"),
        ({"unknownColumns": "take", "extraColumn": "state"}, "property state cannot take unknown columns"),
    ],
)
def test_option_that_cannot_be_honoured_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError) as caught:
        plan(**values)
    assert message in caught.value.message
    assert caught.value.remedy


def test_spelling_of_a_property_goes_before_that_of_the_dataset() -> None:
    own = [{"property": "sluice", "value": {"decimalSeparator": ".", "thousandsSeparator": ","}}]
    text = orders(
        lambda document: (
            options(document).update(decimalSeparator=","),
            prop(document, 2).update(customProperties=own),
        )
    )
    made = compile_plan(parse(text, file="orders.odcs.yaml"))
    assert made.columns[2].expected == "decimal(10,2), written like 1,234.5"
    assert plan(decimalSeparator=",").columns[2].expected == "decimal(10,2), written like 1234,5"


@pytest.mark.parametrize(
    ("position", "values"), [(1, {"decimalSeparator": ","}), (0, {"decimalSeparator": ","}), (2, {"trueTexts": ["x"]})]
)
def test_spelling_of_a_property_without_numbers_is_refused(position: int, values: dict[str, Any]) -> None:
    own = [{"property": "sluice", "value": values}]
    with pytest.raises(ContractError):
        parse(orders(lambda document: prop(document, position).update(customProperties=own)), file="x")


def test_unknown_columns_are_taken_by_a_text_column_of_their_own() -> None:
    def change(document: dict[str, Any]) -> None:
        options(document).update(unknownColumns="take", extraColumn="others")
        document["schema"][0]["properties"].append({"name": "others", "logicalType": "string"})

    assert compile_plan(parse(orders(change), file="x")).columns[-1].source == EXTRA


EUROPEAN = Spelling(decimal=",", thousands=".")
SWISS = Spelling(thousands="'")
YES = Spelling(true_texts=("yes", "1"), false_texts=("no", "0"))


@pytest.mark.parametrize(
    ("kind", "spelling", "text", "value"),
    [
        ("decimal(9,2)", EUROPEAN, "1.234,50", "1234.50"),
        ("decimal(9,2)", EUROPEAN, "-1.234.567,5", "-1234567.50"),
        ("decimal(9,2)", EUROPEAN, "1234,5", "1234.50"),
        ("decimal(9,2)", EUROPEAN, ",5", "0.50"),
        ("decimal(9,2)", EUROPEAN, "1234.5", None),
        ("decimal(9,2)", EUROPEAN, "12.34,5", None),
        ("decimal(9,2)", EUROPEAN, "1.2345,0", None),
        ("decimal(9,2)", EUROPEAN, ".123,0", None),
        ("decimal(9,2)", EUROPEAN, "1,234", None),
        ("decimal(9,2)", EUROPEAN, "1,2,3", None),
        ("decimal(9,2)", EUROPEAN, "1e3", None),
        ("double", EUROPEAN, "1,5e3", "1500.0"),
        ("double", Spelling(decimal=","), "1,5", "1.5"),
        ("double", Spelling(decimal=","), "1.5", None),
        ("int", EUROPEAN, "1.234", "1234"),
        ("int", EUROPEAN, "1.23", None),
        ("int", EUROPEAN, "1,0", None),
        ("int", Spelling(decimal=","), "12", "12"),
        ("long", SWISS, "+9'000'000'000", "9000000000"),
        ("double", SWISS, "1'234.5", "1234.5"),
        ("int", Spelling(thousands="\u202f"), "1\u202f234", "1234"),
        ("int", Spelling(thousands=" "), "1 234", "1234"),
        ("int", Spelling(thousands=" "), " 234", None),
        ("boolean", YES, "yes", "true"),
        ("boolean", YES, "0", "false"),
        ("boolean", YES, "Yes", None),
        ("boolean", YES, "true", None),
        ("string", EUROPEAN, "1,5", "1,5"),
    ],
)
def test_spelled_number_is_read_exactly_or_not_at_all(kind: str, spelling: Spelling, text: str, value: str) -> None:
    cast, _ = spelled_cast("cell", kind, spelling)
    found = duckdb.execute(f"SELECT CAST({cast} AS VARCHAR) FROM (SELECT CAST($1 AS VARCHAR) AS cell)", [text])
    assert found.fetchone() == (value,)


def test_null_without_quotes_is_not_silently_the_default() -> None:
    assert plan(missingColumns="null").reading.missing_columns == "null"
    with pytest.raises(ContractError, match='missingColumns: "null"'):
        plan(missingColumns=None)
