"""The workers that a Dask cluster of ours starts."""

import os

from denoisplit.plugins.executors.dask import Dask


def test_workers_manage_memory_as_the_process_that_starts_them_does() -> None:
    """Dask has theirs give back every freed array at once, unless it is told otherwise."""
    name = "MALLOC_TRIM_THRESHOLD_"
    ours = os.getenv(name)
    with Dask(Dask.Options()).start(1) as pool:
        assert pool.submit(os.getenv, name).result() == ours
