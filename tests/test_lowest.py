"""The lowest versions are those of pyproject.toml."""

import pytest

from tools.lowest import lowest

OPTIONAL = {"dask": ["distributed>=2025.1"], "all": ["denoisplit[dask]"]}


def test_every_bound_is_a_pin_and_torch_is_left_to_the_constraints() -> None:
    needed = ["torch>=2.10", "numpy>=2.0", "zarr>=3.1,<4"]
    project = {"dependencies": needed, "optional-dependencies": OPTIONAL}
    assert list(lowest(project, extras=["dask"])) == ["numpy==2.0", "zarr==3.1", "distributed==2025.1"]


@pytest.mark.parametrize("line", ["scipy", "scipy<2"])
def test_a_library_without_a_lower_bound_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"scipy.*one lower bound is needed \(got 0\)"):
        list(lowest({"dependencies": [line], "optional-dependencies": OPTIONAL}, extras=[]))
