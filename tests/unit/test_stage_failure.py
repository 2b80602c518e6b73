"""What a run says of a failure: who must act, and no value of a row."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sluice.errors import ContractError
from sluice.stages.failure import said


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ContractError("no salt", file="SSM", remedy="put one"), "ContractError: SSM: no salt Remedy: put one"),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject"),
            "ClientError: An error occurred (AccessDenied) when calling the GetObject operation: no",
        ),
    ],
)
def test_errors_of_ours_and_of_aws_are_said_whole(error: Exception, expected: str) -> None:
    assert said(error) == expected


def test_messages_of_engines_are_not_repeated_because_they_quote_rows() -> None:
    assert "secret" not in said(RuntimeError("Could not convert string 'secret' to INT32"))
