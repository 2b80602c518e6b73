"""Each option works for a format or is refused by name, and the documentation says which."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.contract.compile import compile_plan
from sluice.contract.custom import OBJECT_OPTIONS
from sluice.contract.filetypes import FORMATS
from sluice.contract.odcs import parse
from sluice.errors import ContractError

DOCS = Path(__file__).parents[2] / "docs" / "contracts.md"
OF_DATASETS = {"mode", "onDelete", "sequenceBy", "maxRejectShare", "budget", "protect", "include", "exclude", "format"}
VALUES: dict[str, dict[str, Any]] = {
    "trueTexts": {"trueTexts": ["Y"], "falseTexts": ["N"]}, "falseTexts": {"trueTexts": ["Y"], "falseTexts": ["N"]},
    "extraColumn": {"extraColumn": "more", "unknownColumns": "take"},
    **{name: {name: value} for name, value in {
        "compression": "gzip", "encoding": "utf-16", "delimiter": ";", "quote": "'", "escape": "^",
        "strayQuotes": "text", "recordEnd": "lf",
        "header": False, "headerLines": 2, "skipFooter": 1, "comment": "#", "raggedRows": "fill",
        "decimalSeparator": ",", "thousandsSeparator": " ", "skipLines": 1, "sheet": "Data", "cellRange": "B2:D9",
        "recordPath": "data", "nullTexts": ["NA"], "blanks": "trim",
        "unknownColumns": "ignore", "missingColumns": "null",
    }.items()},
}  # fmt: skip


def table() -> dict[tuple[str, str], str]:
    """The cells of the table in the documentation, by option and format."""
    text = DOCS.read_text(encoding="utf-8")
    (head,) = re.findall(r"^\| option \| (csv .*) \|$", text, re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \| ((?:works|refused)(?: \| (?:works|refused))*) \|$", text, re.MULTILINE)
    return {
        (name, form): cell
        for name, cells in rows
        for form, cell in zip(head.split(" | "), cells.split(" | "), strict=True)
    }


def test_the_table_has_each_option_and_each_format() -> None:
    assert {name for name, _ in table()} == OBJECT_OPTIONS - OF_DATASETS
    assert {form for _, form in table()} == set(FORMATS)


@pytest.mark.parametrize(("option", "form"), sorted(table()))
def test_an_option_works_for_a_format_or_is_refused_by_name(option: str, form: str) -> None:
    columns = [{"name": "id", "logicalType": "integer"}, {"name": "more", "logicalType": "string"}]
    custom = [{"property": "sluice", "value": {"format": form, **VALUES[option]}}]
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "t", "version": "1.0.0", "status": "active"}
    text = yaml.safe_dump({**head, "schema": [{"name": "t", "customProperties": custom, "properties": columns}]})
    if table()[option, form] == "works":
        compile_plan(parse(text, file="t"))
        return
    with pytest.raises(ContractError, match=f"{option}|Texts"):
        compile_plan(parse(text, file="t"))
