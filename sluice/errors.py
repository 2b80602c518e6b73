"""The three families of errors, named by who must act; nothing else belongs here.

Entry points catch these families and nothing broader. Each error carries its facts as fields, so that
logs, metrics and messages are made from one source.
"""

from __future__ import annotations


class SluiceError(Exception):
    """Base of every error that Sluice raises on purpose."""


class ContractError(SluiceError):
    """A contract, mart or setting is wrong: its author must act. Raised at synth or in `sluice` commands.

    `place` points into the file (`schema[0].properties[3].logicalType`, or `line 12`), `remedy` says what to write
    instead.
    """

    def __init__(self, message: str, *, file: str, place: str = "", remedy: str = "") -> None:
        self.message, self.file, self.place, self.remedy = message, file, place, remedy
        where = f"{file}: {place}" if place else file
        super().__init__(f"{where}: {message}" + (f" Remedy: {remedy}" if remedy else ""))


class DataError(SluiceError):
    """A whole object cannot be read under its contract: the data owner must act. Never retried.

    A single row that breaks the contract is not an exception: it is a reject. `rule` is the name under which the
    refusal is recorded in the rejects table (`file.encoding`, `file.columns`, `file.limit`, ...).

    `message` goes to logs, ledger and terminals, so it holds nothing of the file; `detail` says the same with the
    file's own words and goes to the rejects table only.
    """

    def __init__(self, message: str, *, dataset: str, rule: str, object_key: str = "", detail: str = "") -> None:
        self.message, self.dataset, self.rule, self.object_key = message, dataset, rule, object_key
        self.detail = detail or message
        super().__init__(f"dataset {dataset}: {rule}: {message}" + (f" (object {object_key})" if object_key else ""))


class TransientError(SluiceError):
    """The infrastructure failed or somebody else was faster: retry. Never quarantined."""


class StaleRunError(SluiceError):
    """This run lost its dataset to a newer one (a higher fence has published): stop without effect, do not retry."""

    def __init__(self, *, dataset: str, fence: int, newest: int) -> None:
        self.dataset, self.fence, self.newest = dataset, fence, newest
        super().__init__(f"dataset {dataset}: run with fence {fence} is stale, fence {newest} has published")


class NewerStateError(SluiceError):
    """A newer release of Sluice wrote this state: nothing was read or changed. Retried, as deployments end."""

    def __init__(self, what: str, *, found: int, known: int) -> None:
        self.what, self.found, self.known = what, found, known
        super().__init__(
            f"{what} has format {found}, and this release of Sluice knows formats up to {known}. Nothing was changed."
            " Remedy: deploy the newer release again (or install it, where a command says so)"
        )
