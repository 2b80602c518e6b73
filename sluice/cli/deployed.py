"""What the offline AWS has deployed beside what the project's folder says: `sluice apply`, and the word about it."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.home import Home
from sluice.cli.offline import make_salt, must_be_project, synthesize
from sluice.cli.screen import AsJson, emit, say, show, working

if TYPE_CHECKING:
    from sluice.cli.target import Target
    from sluice.local.cloud import LocalCloud

_TIMEOUT = 300  # seconds
OFFLINE = {"offline": "true"}  # context of the project's app.py: see stacks/settings.py, with_salt


def serve(cloud: LocalCloud, home: Home) -> None:
    """Describe a cloud in its home, and let `apply` reach it."""
    from sluice.local.control import Control  # noqa: PLC0415  (moto)
    from sluice.local.template import UnsupportedTemplate  # noqa: PLC0415

    token = secrets.token_hex(16)

    def describe() -> None:
        home.describe(environment=cloud.environment(), token=token, contracts=contracts_of(cloud.plans()))

    def apply(asked: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            changes = cloud.apply(Path(asked["assembly"]))
        except UnsupportedTemplate as error:
            return {"error": str(error)}
        salt = make_salt(cloud)
        describe()
        return {**vars(changes), "salt": salt}

    cloud.gateway.control = Control(token, {"apply": apply})
    describe()


def apply(
    project: Annotated[Path | None, typer.Option(help="Folder with app.py; default: the one around here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the project's contracts, marts and stacks into the offline AWS that runs, as a deployment would."""
    with answering(as_json=as_json):
        home = Home.of(project) if project else Home.above(Path.cwd()) or Home.of(Path.cwd())
        must_be_project(home.project)
        described = home.description()
        if described is None:
            raise CommandError(
                f"No offline AWS of {home.project} runs.",
                how="Start it with `sluice up`: it takes the project as it is.",
            )
        before = described["contracts"]
        with working("Synthesizing the CloudFormation templates") as progress:
            assembly = home.work / f"assembly-{time.time_ns()}"
            synthesize(home.project, assembly, context=OFFLINE)
            progress("Updating the offline AWS")
            answer = _ask(described, {"assembly": str(assembly)})
        if "error" in answer:
            raise CommandError(
                f"The offline AWS cannot take this change: {answer['error']}. Nothing was changed.",
                how="End `sluice up` and start it again: it begins with the new templates and keeps its tables.",
            )
        after = (home.description() or described)["contracts"]
        if as_json:
            emit({"ok": True, **answer, "contracts": after})
            return
        for dataset, sentence in _differences(before, after).items():
            show(f"{dataset}: {sentence}")
        counts = [f"{len(answer[done])} {done}" for done in ("created", "updated", "deleted") if answer[done]]
        show(f"Resources: {', '.join(counts)}." if counts else "Nothing differs from what is deployed.")
        if answer["salt"]:
            say(f"Made the salt of hashed columns, {answer['salt']}; it is kept with the tables.")


def contracts_of(plans: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """Describe compiled contracts: version and digest by dataset."""
    return {
        dataset: {"version": json.loads(text)["version"], "digest": hashlib.sha256(text.encode()).hexdigest()}
        for dataset, text in plans.items()
    }


def warn_of_difference(target: Target, datasets: Iterable[str], project: Path) -> None:
    """Say so where the contract in a project's folder is another one than the deployed one, offline."""
    if target.contracts is None:
        return
    from sluice.errors import ContractError  # noqa: PLC0415
    from sluice.project import load_plan  # noqa: PLC0415  (reads YAML)

    for dataset in dict.fromkeys(datasets):
        path = project / "contracts" / f"{dataset}.odcs.yaml"
        if not path.is_file():
            continue
        try:
            here = contracts_of({dataset: load_plan(path).to_json()})[dataset]
        except ContractError as error:
            say(f"[yellow]note[/] the contract of {dataset} here is wrong ({error.message}); the deployed one is used.")
            continue
        deployed = target.contracts.get(dataset, {})
        if deployed != here:
            old, new = deployed.get("version", "none"), here["version"]
            said = f"yours here is {new}" if old != new else "yours here differs from it"
            say(f"[yellow]note[/] contract of {dataset}: deployed {old}, {said}: run `sluice apply` to use yours.")


def _differences(before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    said = {}
    for dataset in sorted(before.keys() | after.keys()):
        old, new = before.get(dataset), after.get(dataset)
        if old is None and new is not None:
            said[dataset] = f"new, contract {new['version']}"
        elif new is None:
            said[dataset] = "no longer loaded; its tables stay"
        elif old is not None and old != new:
            said[dataset] = f"contract {old['version']} -> {new['version']}; the next run changes its table"
    return said


def _ask(described: Mapping[str, Any], question: Mapping[str, Any]) -> dict[str, Any]:
    from sluice.local.control import HEADER, PATH  # noqa: PLC0415

    request = urllib.request.Request(  # noqa: S310  (an address on the loopback that `sluice up` wrote down)
        described["environment"]["AWS_ENDPOINT_URL"] + PATH + "apply",
        data=json.dumps(question).encode(),
        headers={HEADER: described["token"], "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
            found: dict[str, Any] = json.loads(response.read())
    except (urllib.error.URLError, OSError) as error:
        raise CommandError(
            f"The offline AWS did not answer: {error}.",
            how="See what `sluice up` says in its terminal, end it and start it again: it keeps its tables.",
            code=Exit.INFRASTRUCTURE,
        ) from error
    return found
