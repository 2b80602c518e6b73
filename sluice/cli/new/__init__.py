"""`sluice new`: a project of one's own, with an example of everything that a project has."""

from pathlib import Path

TEMPLATE = Path(__file__).parent / "template"  # files of a new project
