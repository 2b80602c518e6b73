"""Why a refresh failed, in words for the mart's author: Athena's or the function's reason, with file and line."""

from __future__ import annotations

import json
import re
from typing import Any

from sluice.warehouse.mart import Mart
from sluice.warehouse.sql import ctas, view

_LONGEST = 1000
_LINE = re.compile(r"\bline (\d+)(?::(\d+))?:? *")


def reason_of(error: str, cause: str) -> str:
    """Find the reason in what Step Functions tells of a failed task: the JSON of the query, or of the function."""
    try:
        told: Any = json.loads(cause)
    except ValueError:
        told = None
    if isinstance(told, dict):
        query = told.get("QueryExecution", told)
        status = query.get("Status", {}) if isinstance(query, dict) else {}
        cause = str(status.get("StateChangeReason") or told.get("errorMessage") or cause)
    return (cause or error)[:_LONGEST]


def located(mart: Mart, reason: str) -> str:
    """Put the mart's file before a reason; a line of Athena's statement becomes one of the file."""
    file = f"marts/{mart.name}.sql"
    if reason.startswith(file):
        return reason
    found = _LINE.search(reason)
    if found is None:
        return f"{file}: {reason}"
    before = (
        view(mart, database="")
        if mart.materialized == "view"
        else ctas(mart, mart.sql, database="", table="", location="")
    )
    above = before.count("\n") - mart.sql.count("\n")
    line = int(found[1]) - above + mart.first_line - 1
    rest = (reason[: found.start()] + reason[found.end() :]).strip()
    return f"{file}:{max(line, mart.first_line)}: {rest}"
