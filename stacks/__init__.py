"""The infrastructure, one file a domain. Constructs wire; they neither compute nor call AWS.

The folder is named `stacks` in a checkout and `sluice_deploy` where Sluice was installed: imports in it are relative.
"""

from .compose import compose, main
from .settings import GIB, MIB, SIZES, Settings, Size, Stage

__all__ = ["GIB", "MIB", "SIZES", "Settings", "Size", "Stage", "compose", "main"]
