"""The policy evaluator as a process: one question a line, one answer a line, about a millisecond each.

It lives where `make setup` installs it (`tools/evaluator/README.md`); nothing here knows what policies mean.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from sluice.node import node


class EvaluatorError(RuntimeError):
    """It is not installed, or does not run."""


def installed() -> Path | None:
    """Find the evaluator's folder in this environment; None where it, or a Node for it, is not there."""
    folder = Path(sys.prefix) / "share" / "sluice-evaluator"
    complete = (folder / ".installed").exists() and (folder / "decide.mjs").exists()
    return folder if complete and node() else None


class Evaluator:
    """One process, started at the first question and shared by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self.asked = 0

    def decide(self, question: Mapping[str, Any]) -> str:
        """Return `Allowed`, `ImplicitlyDenied`, `ExplicitlyDenied`, or the fault of the question.

        Raises EvaluatorError.
        """
        with self._lock:
            self.asked += 1
            requests, answers = self._streams()
            try:
                requests.write(json.dumps(question) + "\n")
                requests.flush()
                line = answers.readline()
            except OSError:
                line = ""
            if not line:
                self._end()
                raise EvaluatorError("the policy evaluator ended unasked: run `make setup` again")
        answer = json.loads(line)
        return str(answer.get("result") or f"Error: {answer.get('error')}")

    def _streams(self) -> tuple[IO[str], IO[str]]:
        if self._process is None:
            folder, runtime = installed(), node()
            if folder is None or runtime is None:
                raise EvaluatorError("the policy evaluator is not installed: run `make setup`")
            self._process = subprocess.Popen(  # noqa: S603  (our own script)
                [runtime, "decide.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                process_group=0,
            )  # fmt: skip
            atexit.register(self._end)
        if self._process.stdin is None or self._process.stdout is None:
            raise EvaluatorError("the policy evaluator has no pipes")
        return self._process.stdin, self._process.stdout

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
