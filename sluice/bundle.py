"""The files that travel beside the code: handlers, the Glue script, locks, the demo's contracts and marts.

A checkout has them at its top. The wheel has the same tree, copied by `setup.py`, inside `sluice_deploy`. Whoever needs
one of these files asks for it here by its path in the checkout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from sluice.errors import SluiceError

DEPLOY = "sluice_deploy"  # the name of stacks/ for those who installed it
_CODE = Path(__file__).parent


def bundled(path: str) -> Path:
    """Return where a file or folder of the checkout, for example "lambdas/ingest", is on this machine.

    Raises SluiceError if it is not there: the installation is incomplete.
    """
    found = home() / path
    if not found.exists():
        raise SluiceError(f"{found} is missing: this installation of Sluice is incomplete")
    return found


def release() -> str:
    """Return the installed version of Sluice, for example "0.1.0"."""
    return version("sluice")


@cache
def home() -> Path:
    """Return the folder that `bundled` looks in: the top of a checkout, or the wheel's copy of it."""
    if (root := checkout()) is not None:
        return root
    spec = find_spec(DEPLOY)
    if spec is None or spec.origin is None:
        raise SluiceError(f"the package {DEPLOY} is missing: this installation of Sluice is incomplete")
    return Path(spec.origin).parent / "bundle"


def checkout() -> Path | None:
    """Return the top of the checkout that this code runs from; None if it was installed from a wheel."""
    root = _CODE.parent
    return root if (root / "stacks" / "__init__.py").is_file() and (root / "lambdas").is_dir() else None


def child_environment(environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """Return the environment for a Python process that imports `sluice` and `sluice_deploy` as this one would.

    An installed Sluice needs nothing for it. In a checkout stacks/ has another name, so the child gets a link to it.
    """
    root = checkout()
    if root is None:
        return dict(environ)
    path = [_link(root), str(root), *filter(None, [environ.get("PYTHONPATH")])]
    return {**environ, "PYTHONPATH": os.pathsep.join(path)}


@cache
def _link(root: Path) -> str:
    folder = root / "build" / "links"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a checkout that cannot be written
        folder = Path(mkdtemp(prefix="sluice-links-"))
    link = folder / DEPLOY
    if link.resolve() != (root / "stacks").resolve():
        link.unlink(missing_ok=True)
        with suppress(FileExistsError):  # another process was faster
            link.symlink_to(root / "stacks")
    return str(folder)
