"""What is deployed, and where: the environments of this project. Sluice makes the stacks of contracts and marts."""

import sys

from sluice_deploy import Settings, main

ENVIRONMENTS = (
    Settings(environment="dev", log_days=7),
    Settings(environment="prod", log_days=365, noncurrent_days=90),
)

if __name__ == "__main__":
    sys.exit(main(__file__, environments=ENVIRONMENTS))
