import numpy as np

from denoisplit.core.arrays import Float64Array
from denoisplit.core.survey.belonging import show_same_fields
from tests.survey.pictures import exposure, light


def cells(seed: int) -> Float64Array:
    """Photons of one structure of cells that lie where the seed says."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:256, :256]
    centres = rng.uniform(30, 226, (3, 2))
    inside = np.min([np.hypot(rows - r, columns - c) for r, c in centres], axis=0) < 40
    return np.asarray(np.where(inside, 1.0, 0.02))


def images(structure: int) -> list[Float64Array]:
    """Eight fields: their cells belong to the field, what lies in them to the structure."""
    return [
        exposure(cells(seed) * light(256, seed=1000 * structure + seed), seed=seed).astype(np.float64)
        for seed in range(8)
    ]


def test_structures_in_the_same_cells_are_recognised() -> None:
    assert show_same_fields(images(1), images(2)) is True


def test_structures_in_other_cells_are_recognised() -> None:
    assert show_same_fields(images(1), images(2)[::-1]) is False


def test_few_or_different_images_do_not_tell() -> None:
    assert show_same_fields(images(1)[:3], images(2)[:3]) is None
    assert show_same_fields(images(1), [image[:200] for image in images(2)]) is None
