"""A real Trino behind the offline Athena: optional, about 850 MB, fetched once (`make trino`).

`install.py` fetches and finds it, `server.py` starts it at the offline AWS, `client.py` asks it. What Athena adds to
Trino (CREATE TABLE with Athena's options, results in S3) stays in `sluice/local/athena`.
"""

from sluice.local.trino.client import Answer, Trino, TrinoError
from sluice.local.trino.install import Installed, NotInstalledError, find, install
from sluice.local.trino.server import start

__all__ = ["Answer", "Installed", "NotInstalledError", "Trino", "TrinoError", "find", "install", "start"]
