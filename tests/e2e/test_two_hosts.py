"""A prediction in the workers of several hosts is that of one process."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import numpy as np
import pytest
import tifffile

import denoisplit
from denoisplit.core.images.io import open_image
from denoisplit.core.storage.image_files import installed_formats
from tests.cli.refusals import noise
from tests.e2e.experiment import Experiment
from tests.e2e.hosts import Host, cluster, loopback, namespaces

ASK = """
import sys
from distributed import Client
from denoisplit.core.prediction.files.elsewhere import _work_of

client = Client(sys.argv[1], timeout=60)
print(*client.run(lambda: _work_of.cache_info().misses))
"""
"""Prints the addresses of the workers, and how many predictions each took part in."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("network", [loopback, namespaces])
def test_workers_of_two_hosts_give_the_bits_of_one_process(
    experiment: Experiment,
    tmp_path: Path,
    network: Callable[[Path, int], AbstractContextManager[list[Host]]],
) -> None:
    with ExitStack() as stack:
        try:
            here, *others = stack.enter_context(network(tmp_path, 3))
        except OSError as error:
            pytest.skip(f"no namespaces of the network here: {error}")
        pixels = noise(160, 160)
        tifffile.imwrite(here.folder / "image.tif", pixels)
        (here.folder / "run").symlink_to(experiment.run)
        (here.folder / "ask.py").write_text(ASK, encoding="utf-8")
        address = stack.enter_context(cluster(here, others))
        words = "predict run image.tif --out split.ome.zarr --samples 8 --tile 16 --workers 2 --scheduler"
        predicting = here.start("denoisplit", *words.split(), address)
        said, _ = predicting.communicate(timeout=600)
        assert predicting.returncode == 0, said
        asking = here.start("ask", address)
        answer, _ = asking.communicate(timeout=200)
        assert answer.count(":") == 2 * len(others)
        for host in others:
            assert host.address in answer
        found = open_image(here.folder / "split.ome.zarr", installed_formats()).pixels
        assert {path.name for path in here.folder.iterdir()} == {
            "image.tif",
            "run",
            "ask.py",
            "split.ome.zarr",
        }
    one = denoisplit.load(experiment.run).predict(pixels, samples=8, tile=16).to_image()
    np.testing.assert_array_equal(found, one.pixels)
