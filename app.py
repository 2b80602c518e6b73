"""What is deployed, and where: the environments of this project. Sluice makes the stacks of its contracts and marts."""

import sys

from stacks import GIB, Settings, main

ENVIRONMENTS = (
    Settings(environment="dev", athena_scan_limit_bytes=10 * GIB, log_days=7),
    Settings(environment="staging"),
    Settings(environment="prod", log_days=365, noncurrent_days=90, glue_workers=10),
)

if __name__ == "__main__":
    sys.exit(main(__file__, environments=ENVIRONMENTS))
