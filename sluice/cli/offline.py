"""An offline AWS for one command: synthesize the project in a process of its own, deploy it locally."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sluice.bundle import child_environment
from sluice.cli.exits import CommandError
from sluice.cli.home import Home
from sluice.cli.screen import say

if TYPE_CHECKING:
    from sluice.local.cloud import LocalCloud


@contextmanager
def offline_aws(
    project: Path,
    *,
    progress: Callable[[str], None],
    context: Mapping[str, str] | None = None,
    home: Home | None = None,
    fresh: bool = False,
) -> Iterator[LocalCloud]:
    """Synthesize `project` and run its stacks in the block.

    Args:
        project: The folder with app.py.
        progress: Is told what is done now.
        context: Overrides settings, like `cdk synth -c`.
        home: Where state, logs and files of workers are kept, and who else runs is known; without it all is temporary.
        fresh: Forget the state that is kept there.
    """
    must_be_project(project)
    with ExitStack() as around:
        if home is not None:
            around.enter_context(home.held())
            for folder in (home.work, *([home.state] if fresh else [])):
                shutil.rmtree(folder, ignore_errors=True)
        assembly = Path(around.enter_context(TemporaryDirectory(prefix="sluice-")))
        progress("Synthesizing the CloudFormation templates")
        with ThreadPoolExecutor(1) as pool:
            synthesis = pool.submit(synthesize, project, assembly, context=context or {})
            # moto takes seconds to import, as synthesis does in its own process: do both at once.
            from sluice.local.cloud import LocalCloud  # noqa: PLC0415
            from sluice.local.state.journal import StateError  # noqa: PLC0415
            from sluice.local.template import UnsupportedTemplate  # noqa: PLC0415
        synthesis.result()
        progress("Starting the offline AWS")
        with ExitStack() as stack:
            try:
                cloud = stack.enter_context(
                    LocalCloud(assembly, data=home.work if home else None, keep=home.state if home else None)
                )
            except UnsupportedTemplate as error:
                raise CommandError(
                    f"The offline AWS refuses the templates: {error}.",
                    how="Leave out what it names, or teach it in sluice/local/resources.",
                ) from error
            except StateError as error:
                raise CommandError(error.what, how=error.how) from error
            if not cloud.enforced:
                say("Permissions are NOT enforced: the policy evaluator is not installed (`make setup` installs it).")
            yield cloud


def must_be_project(project: Path) -> None:
    """Raise CommandError where a folder is no project."""
    if not (project / "app.py").is_file():
        raise CommandError(
            f"{project.resolve()} is no Sluice project: it has no app.py.",
            how="Change to a folder that has one, name it with --project, or make one: sluice new NAME.",
        )


def synthesize(project: Path, folder: Path, *, context: Mapping[str, str]) -> None:
    """Run the project's `app.py` as `cdk synth` does. Raises CommandError with what it said."""
    must_be_project(project)
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=project,
        env={**child_environment(), "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise CommandError(f"The templates could not be synthesized:\n{said}", how="Correct what it names.")


def make_salt(cloud: LocalCloud) -> str | None:
    """Make the salt of hashed columns where the stacks name one and there is none. Answers the parameter's name."""
    name = cloud.environment().get("SLUICE_SALT_PARAMETER")
    if not name:
        return None
    ssm = cloud.client("ssm")
    try:
        ssm.get_parameter(Name=name)
    except ssm.exceptions.ParameterNotFound:
        ssm.put_parameter(Name=name, Type="SecureString", Value=secrets.token_hex(16))
        return name
    return None
