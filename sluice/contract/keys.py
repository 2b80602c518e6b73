"""Which keys below a dataset's folder are files of the dataset. Pure: a key, a size and the contract decide.

What the readers of a lake hide is no data: names that begin with `_` or `.` (Athena, Trino, Hive, Spark), and what
tools leave beside files (markers, checksums, unfinished uploads, manifests). A contract's `include` and `exclude`
patterns say more. A key that is passed over has no load, no rows and no rejects; `sluice doctor` lists it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from functools import lru_cache

from sluice.contract.plan import Plan
from sluice.contract.repairs import place_of

# Names that stand for no data wherever they are, and how such names end.
_NAMES = frozenset(
    {"Thumbs.db", "desktop.ini", "lost+found", "manifest", "manifest.json", "manifest.checksum", "symlink.txt"}
)
_ENDS = ("_$folder$", ".crc", ".filepart", ".partial", ".crdownload", ".tmp", "._COPYING_")
# An empty object whose name ends so, or has no ending at all, is a marker: a folder, or "the delivery is complete".
_MARKERS = (".done", ".ok", ".ready", ".trigger", ".success", ".complete", ".finished", ".flag")


def passed_over(plan: Plan, key: str, *, size: int | None = None) -> str | None:
    """Return why a key of the dataset's folder is no data, None where it is.

    Args:
        plan: the dataset's compiled contract, with its patterns.
        key: the whole key, with the dataset's folder.
        size: bytes of the object version; None for a delete marker.
    """
    path = key.partition("/")[2]
    name = path.rpartition("/")[2]
    if not name:
        return "a folder's placeholder"
    if any(_matches(pattern, path) for pattern in plan.exclude):
        return "the contract excludes it"
    if plan.include and place_of(key) is None and not any(_matches(pattern, path) for pattern in plan.include):
        return "the contract does not include it"
    if (hidden := _hidden(path)) and not any(_spells_out(pattern, path, hidden[1]) for pattern in plan.include):
        return hidden[0]
    if size == 0 and ("." not in name or name.lower().endswith(_MARKERS)):
        return "an empty marker"
    return None


def nearest(dataset: str, datasets: Collection[str]) -> str | None:
    """Return the dataset whose name is most like the given folder's, None where none is near."""
    spelt = {re.sub(r"[^a-z0-9]+", "_", name.lower()): name for name in sorted(datasets)}
    close = difflib.get_close_matches(re.sub(r"[^a-z0-9]+", "_", dataset.lower()), spelt, n=1)
    return spelt[close[0]] if close else None


def is_hidden(path: str) -> bool:
    """Tell whether readers of a lake hide this path, whatever dataset it might belong to."""
    return not path.rpartition("/")[2] or _hidden(path) is not None


def _hidden(path: str) -> tuple[str, str] | None:
    """Return why readers hide a path, and the end of it that a pattern must spell out to include it all the same."""
    *folders, name = path.split("/")
    # Spark writes partitions of a column `_day` to `_day=.../`: that folder hides nothing.
    for segment in (*(folder for folder in folders if not (folder.startswith("_") and "=" in folder)), name):
        if segment.startswith(("_", ".")) and segment not in {".", ".."}:
            return f"{segment[0]!r} begins a name that readers hide", ""
    if left := next((end for end in (*_ENDS, *_NAMES) if name == end or (end in _ENDS and name.endswith(end))), None):
        return "a file that tools leave beside data", left
    return None


def _matches(pattern: str, path: str) -> bool:
    return _compiled(pattern, "").fullmatch(path) is not None


def _spells_out(pattern: str, path: str, end: str) -> bool:
    """Tell whether a pattern names what is hidden: as in a shell, no wildcard stands for a leading `_` or `.`."""
    return pattern.endswith(end) and _compiled(pattern, r"(?![.]|_[^=/]*(?:/|$))").fullmatch(path) is not None


@lru_cache(maxsize=1000)
def _compiled(pattern: str, guard: str) -> re.Pattern[str]:
    """Translate `*` and `?` (within a name) and `**/` (any folders); a pattern without a slash fits in any folder.

    `guard` is what must hold where a wildcard begins a name.
    """
    words = {"**/": f"(?:{guard}[^/]*/)*", "**": f"[^/]*(?:/{guard}[^/]*)*", "*": "[^/]*", "?": "[^/]"}
    parts, begins = [], True
    for token in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern if "/" in pattern else f"**/{pattern}"):
        translated = words.get(token) or re.escape(token)
        parts.append(f"{guard}{translated}" if begins and token in {"**", "*", "?"} else translated)
        begins = token.endswith("/")
    return re.compile("".join(parts), re.DOTALL)
