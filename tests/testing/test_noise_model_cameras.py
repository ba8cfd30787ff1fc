"""The exam of noise models with maps: the documented example and the built-in pass, slips do not."""

import runpy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from torch import Tensor

import denoisplit
from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.camera_noise import CameraNoiseModel
from denoisplit.plugins.noise_models.scmos import Scmos
from denoisplit.testing import NoiseModelTests
from denoisplit.testing.noise_model_laws.noise_model_cameras import NoiseModelCameraTests

PAGE = Path(denoisplit.__file__).parents[1] / "docs" / "extending.md"


def documented() -> type[CameraNoiseModel]:
    """The class that the page shows."""
    (block,) = [part for part in PAGE.read_text(encoding="utf-8").split("```") if "class NoisyPixels" in part]
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "noisy_pixels.py"
        module.write_text(block.removeprefix("python"), encoding="utf-8")
        found: type[CameraNoiseModel] = runpy.run_path(str(module))["NoisyPixels"]
    return found


class TestScmos(NoiseModelCameraTests):
    """The built-in."""

    component: ClassVar[type[Any] | str] = "scmos"


class TestDocumented(NoiseModelTests):
    """The example of the documentation, whose laws are those of its pixels."""

    component: ClassVar[type[Any] | str] = documented()


def _one_pixel_for_all(self: Scmos, signal: Tensor, camera: Tensor | None) -> Any:
    return _TRUE["_camera"](self, signal, camera if camera is None else camera[..., :1, :1])


def _squared(self: Scmos, signal: Tensor, extra: Tensor | None = None, **known: Any) -> Tensor:
    found: Tensor = _TRUE["variance"](self, signal, extra, **known)
    return found**0.9


_TRUE: dict[str, Callable[..., Any]] = {"_camera": Scmos._camera, "variance": Scmos.variance}


@pytest.mark.parametrize(
    ("name", "slip"),
    [
        ("_camera", _one_pixel_for_all),
        ("variance", _squared),
        ("bias", CameraNoiseModel.bias),
        ("_load_from_state_dict", lambda self, *args: None),
    ],
)
def test_slips_are_noticed(name: str, slip: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scmos, name, slip)
    suite = TestScmos()
    assert any(
        map(
            _fails,
            (
                suite.test_pixels_differ_and_maps_stay_as_they_are,
                suite.test_maps_are_part_of_the_state_and_fit_images_of_their_size,
                suite.test_every_pixel_has_a_true_density,
            ),
        )
    )


def _fails(law: Callable[[], None]) -> bool:
    try:
        law()
    except (AssertionError, NoiseModelError):
        return True
    return False
