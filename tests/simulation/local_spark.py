"""What Sluice asks of a SparkContext, done by lists in this process: the tasks are the real ones, the JVM is not there.

Tasks of Spark itself live in other processes, which cannot reach an AWS inside this one: the demo and `tests/parity`
run those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any


class LocalSpark:
    """`parallelize` and `defaultParallelism`."""

    defaultParallelism = 2  # noqa: N815  (Spark's name)

    def parallelize(self, items: Iterable[Any], slices: int) -> LocalData:
        """Spread items over slices."""
        listed = list(items)
        return LocalData([listed[at::slices] for at in range(slices)])


class LocalData:
    """A list of partitions, computed at once."""

    def __init__(self, partitions: list[list[Any]]) -> None:
        self._partitions = partitions

    def map(self, one: Callable[[Any], Any]) -> LocalData:
        """Each item by itself."""
        return LocalData([[one(item) for item in partition] for partition in self._partitions])

    def mapPartitions(self, task: Callable[[Iterable[Any]], Iterable[Any]]) -> LocalData:  # noqa: N802
        """One task a partition."""
        return LocalData([list(task(iter(partition))) for partition in self._partitions])

    def partitionBy(self, count: int, place: Callable[[Any], int]) -> LocalData:  # noqa: N802
        """Shuffle (key, value) pairs by key."""
        shuffled: list[list[Any]] = [[] for _ in range(count)]
        for pair in chain.from_iterable(self._partitions):
            shuffled[place(pair[0]) % count].append(pair)
        return LocalData(shuffled)

    def mapPartitionsWithIndex(self, task: Callable[[int, Iterable[Any]], Iterable[Any]]) -> LocalData:  # noqa: N802
        """One task a partition, which knows its number."""
        return LocalData([list(task(at, iter(partition))) for at, partition in enumerate(self._partitions)])

    def collect(self) -> list[Any]:
        """All items."""
        return list(chain.from_iterable(self._partitions))
