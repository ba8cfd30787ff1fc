"""Every file of reference numbers: nothing in it is left out without a reason."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.account import GoldenFile
from tests.golden.check_calibration import check_calibration
from tests.golden.check_combined import check_combined
from tests.golden.check_data import check_patches, check_pyramids, check_splits, check_stitching, check_tiles
from tests.golden.check_fits import check_camera
from tests.golden.check_intensities import check_moments, check_statistics
from tests.golden.check_likelihoods import check_gaussian, check_noise_model
from tests.golden.check_losses import check_total_loss
from tests.golden.check_metrics import check_crop, check_small_pairs, check_stack
from tests.golden.check_networks import check_network
from tests.golden.check_noise_models import check_exchange_file, check_histogram, check_mixture_table
from tests.golden.check_rates import check_annealing, check_distributions, check_reductions, check_variances
from tests.golden.tolerance import EXACT, Tolerance, parse
from tools.golden.__main__ import all_numbers

Check = Callable[[GoldenFile], None]

CHECKS: tuple[tuple[str, str, Check], ...] = (
    ("networks", "", check_network),
    ("losses", "from given level sums", check_reductions),
    ("losses", "from given Gaussian parameters", check_distributions),
    ("losses", "stable-variance", check_variances),
    ("losses", "KL weight for epochs", check_annealing),
    ("losses", "Gaussian log-likelihood", check_gaussian),
    ("losses", "noise-model log-likelihood", check_noise_model),
    ("losses", "combined loss", check_combined),
    ("losses", "total loss of network", check_total_loss),
    ("noise_models", "exchange format", check_exchange_file),
    ("noise_models", "Gaussian-mixture noise model", check_mixture_table),
    ("noise_models", "histogram noise model", check_histogram),
    ("noise_models", "synthetic camera pairs", check_camera),
    ("data", "frame index split", check_splits),
    ("data", "image pyramids", check_pyramids),
    ("data", "multi-scale patch", check_patches),
    ("data", "normalisation statistics", check_statistics),
    ("data", "moments of the synthetic", check_moments),
    ("data", "tile positions", check_tiles),
    ("data", "stitching of", check_stitching),
    ("metrics", "small random pairs", check_small_pairs),
    ("metrics", "synthetic stack", check_stack),
    ("metrics", "microscopy crop", check_crop),
    ("calibration", "", check_calibration),
)
"""Folder, words of what a file says it is, and what compares it."""

NUMBERS = Path(__file__).parent / "numbers"
"""Of ``python -m tools.golden``: what follows from the formulas alone, in every clone."""

FOLDER = os.environ.get("DENOISPLIT_GOLDEN")


def manifest(root: Path) -> list[dict[str, Any]]:
    """One row per file."""
    rows: list[dict[str, Any]] = json.loads((root / "manifest.json").read_text(encoding="utf-8"))["items"]
    return rows


# Without the folder of the reference one test stays, so that it shows as skipped.
FILES = [row["file"] for row in manifest(Path(FOLDER))] if FOLDER else ["none"]
OWN_FILES = [row["file"] for row in manifest(NUMBERS)]


def check_for(file: GoldenFile) -> Check:
    """The one check of a file, by its folder and by what it says it is."""
    folder, what = Path(file.name).parts[0], file.meta.get("what", file.about["what"])
    found = [check for place, words, check in CHECKS if place == folder and words in what]
    assert len(found) == 1, (
        f"{file.name}: {len(found)} checks for a file in {folder}/ that is a {what!r}. "
        f"Add a row to CHECKS in {Path(__file__).name}, or make its words distinct."
    )
    return found[0]


@pytest.mark.parametrize("name", OWN_FILES)
def test_every_number_that_follows_from_the_formulas(name: str, tmp_path: Path) -> None:
    every_number(NUMBERS, name, tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_every_number_of_every_file(golden: Path, name: str, tmp_path: Path) -> None:
    every_number(golden, name, tmp_path)


def every_number(golden: Path, name: str, tmp_path: Path) -> None:
    """Check a file, and that nothing in it was left out."""
    (about,) = (row for row in manifest(golden) if row["file"] == name)
    content = (golden / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == about["sha256"], f"{name} is not the file of the manifest"
    file = GoldenFile.open(golden, about, tmp_path)
    stored = {key: f"{values.dtype}{list(values.shape)}" for key, values in file.arrays.items()}
    assert stored == about["arrays"]
    check_for(file)(file)
    file.close()


def every_file(golden: Path) -> None:
    """The list names all files, and no others."""
    found = {path.relative_to(golden).as_posix() for path in golden.rglob("*.npz")}
    assert found == {row["file"] for row in manifest(golden)}


def test_every_file_is_in_the_manifest(golden: Path) -> None:
    every_file(golden)


def test_the_numbers_of_the_formulas_are_those_that_their_tool_writes(tmp_path: Path) -> None:
    every_file(NUMBERS)
    made = {one.file: one for one in all_numbers()}
    assert set(made) == set(OWN_FILES)
    for name, one in made.items():
        with np.load(NUMBERS / name, allow_pickle=False) as stored:
            for key, values in one.arrays.items():
                np.testing.assert_array_equal(stored[key], values)


def _made(folder: Path, **arrays: Any) -> GoldenFile:
    about = {"file": "losses/made.npz", "what": "nothing known", "tolerance": {"float64": "rtol 1e-3"}}
    return GoldenFile(folder, about, folder, arrays, {"values": {"loss": 2.0, "note": "text"}})


def test_a_number_outside_its_tolerance_is_named(tmp_path: Path) -> None:
    file = _made(tmp_path, curve=np.array([1.0, np.nan, -4.0]))
    within = file.tolerance("float64")
    file.compare("curve", [1.0009, np.nan, -4.0039], within)
    with pytest.raises(AssertionError, match=r"curve: 1 of 3 numbers differ, the first at \(2,\)"):
        file.compare("curve", [1.0, np.nan, -4.0041], within)
    with pytest.raises(AssertionError, match=r"curve: 2 of 3"):
        file.compare("curve", [np.inf, 0.0, -4.0], within)
    with pytest.raises(AssertionError, match="shape"):
        file.compare("curve", 1.0, within)
    with pytest.raises(AssertionError, match=r"values/loss: 1 of 1"):
        file.compare("values/loss", 2.0 + 1e-12, EXACT)


def test_a_forgotten_or_unknown_number_is_named(tmp_path: Path) -> None:
    file = _made(tmp_path, curve=np.ones(2), extra=np.ones(1), given=np.ones(1))
    file.given("given")
    file.compare("curve", np.ones(2), EXACT)
    with pytest.raises(AssertionError, match=r"not accounted for: extra, values/loss$"):
        file.close()
    file.compare("values/loss", 2.0, EXACT)
    file.leave("ext.*", "a defect")
    file.close()
    file.compare("extra", 1.0 + np.zeros(1), EXACT)
    with pytest.raises(AssertionError, match="declared not comparable: extra"):
        file.close()


def test_an_unknown_file_says_where_to_add_its_check(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"losses/made.npz: 0 checks .* 'nothing known'. Add a row"):
        check_for(_made(tmp_path))


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("rtol 1e-9, atol 2e-9", "", (1e-9, 2e-9)),
        ("rtol 1e-9 (mu, exact), atol 1e-7 (log_p)", "mu", (1e-9, 0)),
        ("rtol 1e-9 (mu, exact), atol 1e-7 (log_p)", "log_p", (0, 1e-7)),
        ("mu rtol 1e-5; sigma rtol 2e-6; log_p atol 3e-4 (deviates by 8e-7, 2e-7)", "sigma", (2e-6, 0)),
        ("mu rtol 1e-5; sigma rtol 2e-6; log_p atol 3e-4 (deviates by 8e-7, 2e-7)", "log_p", (0, 3e-4)),
        ("rtol 1e-4 (a_l2), atol 1e-5*a_l2*sqrt(number of elements) (a_sum)", "a_l2", (1e-4, 0)),
        ("rtol 1e-4 (a_l2), atol 1e-5*a_l2*sqrt(number of elements) (a_sum)", "a_sum", (0, 1e-5)),
        ("rtol 1e-9 (float64), 1e-5 (float32)", "float32", (1e-5, 0)),
        ("atol 1e-5 relative to max (float32), 1e-10 against table_float64", "table_float64", (0, 1e-10)),
        ("atol 1e-4 (the reference deviates by 4e-6)", "log_p", (0, 1e-4)),
        ("|d| <= 5e-5 + 2e-6*|ref|", "", (2e-6, 5e-5)),
        ("|d| <= 2e-7*max|out| (storage is float32)", "", (2e-7, 0)),
        ("10 %", "", (0.1, 0)),
    ],
)
def test_tolerances_are_read_as_they_are_worded(text: str, name: str, expected: tuple[float, float]) -> None:
    assert parse(text, name) == Tolerance(*expected)


def test_a_text_without_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="no tolerance"):
        parse("see meta.test")
