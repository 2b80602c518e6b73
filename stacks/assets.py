"""What is uploaded: a folder for each Lambda function, the Glue script and its library. Same input, same bytes.

A function's folder holds its handler, the `sluice` package without what only people's machines need, the compiled
plans and marts, and, once `sluice package` has put them into the project's build/packages/<stage>/, its third-party
packages.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sluice
from sluice.bundle import bundled
from sluice.contract.plan import Plan
from sluice.errors import ContractError
from sluice.project import Project
from sluice.warehouse.mart import marts_to_json

from .settings import SIZES, Stage

PACKAGES = Path("build") / "packages"  # in a project: third-party packages, a folder for each function
_NOT_DEPLOYED = ("local", "cli", "api.py", "__main__.py", "bundle.py", "node.py")
_SLUICE = Path(sluice.__file__).parent
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip can tell


@dataclass(frozen=True, kw_only=True)
class Assets:
    """Where the assembled files are."""

    functions: Mapping[Stage, Path]
    glue_script: Path
    glue_library: Path
    glue_wheels: Sequence[Path] = ()


def assemble(project: Project, *, target: Path, packaged: bool) -> Assets:
    """Put everything together below `target`, an empty folder.

    Raises ContractError if `packaged` and the project's third-party packages are missing.
    """
    packages = project.root / PACKAGES
    functions: dict[Stage, Path] = {}
    for stage in SIZES:
        folder = functions[stage] = target / stage
        if packaged:
            _copy_packages(packages / stage, folder)
        _copy(bundled(f"lambdas/{stage}"), folder)
        _copy(_SLUICE, folder / "sluice", without=_NOT_DEPLOYED)
        _write_plans(project.plans, folder / "plans")
        _write_marts(project, folder / "marts")
    library = target / "sluice.zip"
    _zip(_SLUICE, library)
    return Assets(
        functions=functions,
        glue_script=bundled("glue_jobs/transform.py"),
        glue_library=library,
        glue_wheels=_wheels(packages / "glue") if packaged else (),
    )


def _sources(folder: Path, *, without: tuple[str, ...] = ()) -> Iterator[Path]:
    """Return all files of a source folder by name, without caches."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and parts[0] not in without:
            yield path


def _copy(source: Path, target: Path, *, without: tuple[str, ...] = ()) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in _sources(source, without=without):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _copy_packages(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise ContractError("there are no packages for this function", file=str(source), remedy="run `sluice package`")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))


def _wheels(folder: Path) -> Sequence[Path]:
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise ContractError("there are no packages for the Glue job", file=str(folder), remedy="run `sluice package`")
    return wheels


def _write_plans(plans: Mapping[str, Plan], folder: Path) -> None:
    folder.mkdir()
    for name, plan in plans.items():
        (folder / f"{name}.json").write_text(plan.to_json(), encoding="utf-8")


def _write_marts(project: Project, folder: Path) -> None:
    folder.mkdir()
    (folder / "marts.json").write_text(marts_to_json(project.marts), encoding="utf-8")


def _zip(package: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for path in _sources(package, without=_NOT_DEPLOYED):
            name = f"{package.name}/{path.relative_to(package).as_posix()}"
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), path.read_bytes(), zipfile.ZIP_DEFLATED)
