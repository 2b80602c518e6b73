"""The CDK's command line, pinned, with the Node that came with Sluice. Nobody has to install npm.

The version stands in tools/cdk/package-lock.json: npm's `latest` is 3.x, which rejects assemblies of aws-cdk-lib 2.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sluice.bundle import bundled
from sluice.cli.exits import CommandError, Exit
from sluice.node import node_folder

_FILES = ("package.json", "package-lock.json", ".npmrc")
_CDK = Path("node_modules") / "aws-cdk" / "bin" / "cdk"


def cdk(*words: str, project: Path, to_stderr: bool, fine: Sequence[int] = (0,)) -> int:
    """Run the CDK's command line in the folder of a project; what it says goes to the terminal.

    Args:
        words: its arguments.
        project: folder of the project.
        to_stderr: send what it writes to stdout to stderr, because stdout is for one JSON object.
        fine: the exit codes that are no failure.

    Raises:
        CommandError: it could not be installed, or failed.
    """
    node, script = _node(), installed()
    done = subprocess.run(  # noqa: S603  (our own tool)
        [str(node / "node"), str(script), *words, "--no-notices"],
        cwd=project,
        env={**os.environ, "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"},
        stdout=2 if to_stderr else None,
        check=False,
    )
    if done.returncode not in fine:
        raise CommandError(
            f"`cdk {words[0]}` failed; what it said stands above.",
            how="If the account or region is new, say once: sluice bootstrap. docs/deploy.md lists the rights needed.",
            code=Exit.INFRASTRUCTURE,
        )
    return done.returncode


def installed(*, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the script of the pinned CDK command line, after installing it once into the user's cache."""
    source = bundled("tools/cdk")
    if (source / "node_modules" / ".installed").exists():  # a checkout, where make installs it
        return source / _CDK
    lock = (source / "package-lock.json").read_bytes()
    target = cache_folder() / f"cdk-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (target / _CDK).exists():
        progress("Installing the CDK's command line, once")
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent) as folder:
            for name in _FILES:
                shutil.copyfile(source / name, Path(folder) / name)
            _npm_ci(Path(folder))
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target, symlinks=True)
    return target / _CDK


def cache_folder() -> Path:
    """Return the folder for tools that are installed once for a user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"


def _npm_ci(folder: Path) -> None:
    node = _node()
    # The wheel's own `npm` is a copy of a link and does not find its library, so the script behind it is named.
    npm = node.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(  # noqa: S603  (our own lock)
        [str(node / "node"), str(npm), "ci", "--loglevel=error", "--prefix", str(folder)],
        cwd=folder,
        env={**os.environ, "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(
            f"npm could not install the CDK's command line: {done.stderr.strip()[-500:]}",
            how="It needs a network once. A proxy or a registry of your own is set in ~/.npmrc.",
            code=Exit.INFRASTRUCTURE,
        )


def _node() -> Path:
    folder = node_folder()
    if folder is None:
        raise CommandError("Node is not installed.", how="pip install 'sluice[deploy]'")
    return folder
