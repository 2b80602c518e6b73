"""Starting a tool and reading its JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.finding import ToolError

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def answer_of(command: Sequence[str | Path], *, fine: frozenset[int], env: Mapping[str, str] | None = None) -> str:
    """Run a tool in the project's folder and return what it prints. Raises ToolError for an exit code not in `fine`."""
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode not in fine:
        raise ToolError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:] or done.stdout[-2000:]}")
    return done.stdout


def json_of(command: Sequence[str | Path], *, fine: frozenset[int]) -> Any:
    """Run a tool and parse what it prints. Raises ToolError as well if that is no JSON."""
    said = answer_of(command, fine=fine)
    try:
        return json.loads(said)
    except ValueError as error:
        raise ToolError(f"{command[0]} printed no JSON: {said[:500]}") from error
