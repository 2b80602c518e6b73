"""The folder `.sluice` of a project: where `sluice up` says how its AWS is reached, and keeps what it holds.

Whoever runs the offline AWS holds a lock on one file in it. The kernel gives the lock back when the process ends,
however it ends, so a description without a lock is stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.cli.exits import CommandError

NAME = ".sluice"


@dataclass(frozen=True)
class Home:
    """One project's `.sluice` folder, which need not exist."""

    folder: Path

    @classmethod
    def of(cls, project: Path) -> Home:
        """Return the one of a project's folder."""
        return cls(project.resolve() / NAME)

    @classmethod
    def above(cls, start: Path) -> Home | None:
        """Find the nearest one in `start` or a folder above it in which `sluice up` has been run."""
        here = start.resolve()
        return next((cls(place / NAME) for place in (here, *here.parents) if (place / NAME / "lock").is_file()), None)

    @property
    def project(self) -> Path:
        """The project that it belongs to."""
        return self.folder.parent

    @property
    def state(self) -> Path:
        """What outlives the process."""
        return self.folder / "state"

    @property
    def work(self) -> Path:
        """Logs and workers' files of the process that runs, or of the last one."""
        return self.folder / "run"

    def pid(self) -> int | None:
        """Say which process runs the offline AWS now; None where none does."""
        try:
            with (self.folder / "lock").open(encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0)
        except FileNotFoundError:
            pass
        return None

    def description(self) -> Mapping[str, Any] | None:
        """Read what the offline AWS that runs has said of itself: see `describe`. None where none runs or is ready."""
        if self.pid() is None:
            return None
        try:
            found: Mapping[str, Any] = json.loads((self.folder / "environment.json").read_text(encoding="utf-8"))
        except FileNotFoundError:  # it has only begun
            return None
        return found

    def describe(self, **said: Any) -> None:
        """Say how the offline AWS is reached, at once and only to this user: credentials are among it."""
        path = self.folder / "environment.json"
        beside = path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(said, file)
        beside.replace(path)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the one process that runs this project's offline AWS. Raises CommandError where another one does."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")
        with (self.folder / "lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError(
                    f"The offline AWS of {self.project} runs already, as process {self.pid()}.",
                    how="Use it as it is: the other commands find it. `sluice apply` brings changes of the project in.",
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            (self.folder / "environment.json").unlink(missing_ok=True)
            try:
                yield
            finally:
                (self.folder / "environment.json").unlink(missing_ok=True)
