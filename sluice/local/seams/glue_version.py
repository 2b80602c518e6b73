"""Gap (moto 5.2.5): Glue `UpdateTable` ignores `VersionId`, so of two concurrent Iceberg commits one is lost silently.

AWS answers ConcurrentModificationException when the table is no longer at that version. Without this seam every test
of concurrent publishing is vacuous.
"""

from __future__ import annotations

import threading
from typing import Any

from moto.glue.exceptions import GlueClientError
from moto.glue.responses import GlueResponse

from sluice.local.seams.patch import replace

# The server answers requests in threads: compare and write must be one step.
_LOCK = threading.Lock()


def install() -> None:
    """Make `UpdateTable` a compare-and-set on the version, for the moto server and for `mock_aws` alike."""
    replace(GlueResponse, "update_table", _compare_and_set)


def _compare_and_set(update_table: Any) -> Any:
    def checked(self: Any) -> Any:
        expected = self.parameters.get("VersionId")
        with _LOCK:
            if expected is not None:
                table = self.glue_backend.get_table(
                    self.parameters["DatabaseName"], self.parameters["TableInput"]["Name"]
                )
                if table.as_dict()["VersionId"] != str(expected):
                    raise GlueClientError(
                        "ConcurrentModificationException", "Update table failed due to concurrent table modifications."
                    )
            return update_table(self)

    return checked
