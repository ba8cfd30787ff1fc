"""The noise model's maps of the camera that recorded the training images."""

from collections.abc import Sequence

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import NoiseModelError, SpecError
from denoisplit.core.images.bases import Field
from denoisplit.core.network.camera_noise import CameraNoiseModel, camera_of
from denoisplit.core.network.interfaces import NoiseModel
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import DataSpec
from denoisplit.core.storage.image_files import installed_formats


def read_camera(
    vse: VSE, data: DataSpec, train: Sequence[Field], validation: Sequence[Field]
) -> tuple[Float32Array, ...]:
    """Let the noise model read its maps, and return those [m c y x] of every training field.

    Returns:
        Empty for a noise model without maps.

    Raises:
        ImageError, NoiseModelError: maps cannot be read, or differ in size from a field; says which.
        SpecError: the images are changed in a way that the maps do not allow for.
    """
    require_maps(vse.noise_model, data, (*validation, *train))
    found = [_maps_of(vse, field) for field in train]
    return tuple(maps for maps in found if maps is not None)


def require_maps(model: NoiseModel, data: DataSpec, fields: Sequence[Field]) -> None:
    """Let a noise model read its maps, and check that they suit the fields; other models pass.

    Raises:
        ImageError, NoiseModelError: maps cannot be read, or differ in size from a field; says which.
        SpecError: the images are changed in a way that the maps do not allow for.
    """
    if not isinstance(model, CameraNoiseModel):
        return
    model.read(installed_formats())
    known = False
    for field in fields:
        try:
            known |= camera_of(model, field.frame_part) is not None
        except NoiseModelError as error:
            raise NoiseModelError(f"field {field.name!r}: {error}") from error
    if known and data.background.quantile:
        raise SpecError(
            f"$.data.background.quantile: maps of a camera are in counts as they were recorded, from which "
            f"nothing is subtracted (got {data.background.quantile}). Set it to 0."
        )


def _maps_of(vse: VSE, field: Field) -> Float32Array | None:
    maps = vse.camera(field.frame_part)
    if maps is None:
        return None
    return maps.reshape(len(maps), maps.shape[2], *maps.shape[-2:]).cpu().numpy()
