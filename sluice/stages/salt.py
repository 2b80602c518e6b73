"""The salt of hashed columns: one SSM parameter of an environment, read when a plan hashes and never otherwise.

It is in no plan, no claim, no log and no table. Who has it can try values against hashes; who loses it cannot join
old hashes with new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from sluice.contract.plan import Plan
from sluice.errors import ContractError
from sluice.kernel.judging.protect import hashes

SaltOf = Callable[[Plan], str | None]


def no_salt(_: Plan) -> None:
    """For those who have none: a plan that hashes is then refused by the kernel."""


def salt_from(parameter: str, ssm: Callable[[], Any]) -> SaltOf:
    """Return what reads the salt for a plan. `ssm` makes the client, at need."""

    def salt_of(plan: Plan) -> str | None:
        if not hashes(plan):
            return None
        if not parameter:
            raise ContractError(
                f"dataset {plan.dataset} hashes values, and no parameter with a salt is named",
                file="environment",
                place="SLUICE_SALT_PARAMETER",
                remedy="set salt_parameter in app.py",
            )
        try:
            return str(ssm().get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            raise ContractError(
                f"dataset {plan.dataset} hashes values, and the parameter with the salt is not there",
                file="SSM",
                place=parameter,
                remedy=f"aws ssm put-parameter --type SecureString --name {parameter} --value <a long random text>",
            ) from error

    return salt_of
