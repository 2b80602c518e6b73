"""Builds the wheel: stacks/ goes in as `sluice_deploy`, with what deploying needs beside it. The rest: pyproject.toml.

Nothing is copied by hand, and an editable installation copies nothing: there `sluice.bundle` finds the checkout.
"""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

BUNDLE = Path("sluice_deploy") / "bundle"
# Patterns of files that `sluice.bundle` serves, by their path in the checkout.
BUNDLED = (
    "lambdas/*/handler.py",
    "glue_jobs/*.py",
    "contracts/*.odcs.yaml",
    "marts/*.sql",
    "requirements.lock",
    "tools/cdk/.npmrc",
    "tools/cdk/package*.json",
    "tools/evaluator/package*.json",
    "tools/evaluator/decide.mjs",
)


class BuildWithBundle(build_py):
    """Adds the bundle to what is built, from an empty folder: an earlier build leaves deleted modules behind."""

    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        if not self.editable_mode:
            for source, target in self._bundle().items():
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *self._bundle()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *self._bundle().values()]

    def _bundle(self) -> dict[str, str]:
        found = {str(path): str(Path(self.build_lib) / BUNDLE / path) for glob in BUNDLED for path in Path().glob(glob)}
        if not found:
            raise FileNotFoundError("setup.py runs in the top folder of Sluice")
        return found


setup(
    packages=[*find_packages(include=["sluice*"]), "sluice_deploy", "sluice_deploy.machines"],
    package_dir={"sluice_deploy": "stacks"},
    package_data={
        "sluice": ["py.typed", "cli/new/template/**/*", "warehouse/grammar.json.gz"],
        "sluice_deploy": ["py.typed"],
    },
    cmdclass={"build_py": BuildWithBundle},
)
