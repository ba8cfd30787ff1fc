"""The description of a network for the BioImage Model Zoo, in its format 0.5."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bioimageio.spec.model import v0_5

from denoisplit.core.exporting.about import About
from denoisplit.core.exporting.exported_details import KEY, Details
from denoisplit.core.exporting.onnx_model import OPSET
from denoisplit.core.exporting.ports import LOG_VARIANCE, MIXED, NoiseInput, Ports
from denoisplit.core.version import VERSION

zoo: Any = v0_5
"""Its classes take more than their types say, and check it."""

ONNX: Final = "weights.onnx"
PAGE: Final = "README.md"
COVER: Final = "cover.png"

_TAGS: Final = ("denoisplit", "fluorescence-light-microscopy", "image-restoration", "denoising", "unmixing")

Cited = Mapping[str, str]
"""Text of a citation to its DOI."""


def tensor_file(name: str) -> str:
    """Name of the file with the test tensor of an input or output."""
    return f"test_{name}.npy"


def description(
    ports: Ports,
    details: Details,
    *,
    about: About,
    folder: Path,
    least: tuple[int, ...],
    halo: tuple[int, ...] | None,
    cited: Cited,
) -> v0_5.ModelDescr:
    """Describe a network whose files are in a folder.

    Args:
        ports: its inputs and outputs.
        details: its details.
        about: what people know of it.
        folder: folder with weights, page, cover and test tensors.
        least: smallest sides of an image, pixels.
        halo: pixels on each side to cut off from the tiles of a larger image; None to say nothing of it.
        cited: what to cite.

    Raises:
        pydantic.ValidationError: a text is not as the format demands.
    """
    described: v0_5.ModelDescr = zoo.ModelDescr(
        name=about.title,
        description=about.description,
        authors=[zoo.Author(name=name) for name in about.authors],
        license=about.license,
        cite=[zoo.CiteEntry(text=text, doi=zoo.Doi(doi)) for text, doi in cited.items()],
        tags=[*_TAGS, f"{len(ports.axes)}d", "onnx"],
        documentation={"source": folder / PAGE},
        covers=[{"source": folder / COVER}],
        inputs=[_image(ports, least, folder), *(_noise(one, ports, folder) for one in ports.noise)],
        outputs=[_output(name, ports, halo, folder) for name in ports.outputs],
        weights=zoo.WeightsDescr(
            onnx=zoo.OnnxWeightsDescr(
                source=folder / ONNX, opset_version=OPSET, comment=f"Exported by denoisplit {VERSION}"
            )
        ),
        config=zoo.Config(**{KEY: details}),
    )
    return described


def _axes(channels: list[str], spatial: Iterator[Any]) -> list[Any]:
    return [zoo.BatchAxis(), zoo.ChannelAxis(channel_names=channels), *spatial]


def _image(ports: Ports, least: tuple[int, ...], folder: Path) -> Any:
    sizes = zip(ports.axes, least, ports.step, strict=True)
    spatial = (
        zoo.SpaceInputAxis(
            id=zoo.AxisId(axis), size=zoo.ParameterizedSize(min=low, step=step), concatenable=True
        )
        for axis, low, step in sizes
    )
    return zoo.InputTensorDescr(
        id=zoo.TensorId(MIXED),
        description="superimposed image, detector counts as they are in the file",
        axes=_axes([MIXED], spatial),
        test_tensor=_test(MIXED, folder),
    )


def _noise(noise: NoiseInput, ports: Ports, folder: Path) -> Any:
    spatial = (
        zoo.SpaceInputAxis(id=zoo.AxisId(axis), size=_like_the_image(axis), scale=float(stride))
        for axis, stride in zip(ports.axes, noise.stride, strict=True)
    )
    return zoo.InputTensorDescr(
        id=zoo.TensorId(noise.name),
        description="standard normal numbers for one posterior sample, or zeros for one without chance",
        axes=_axes(noise.channel_names(ports.channels), spatial),
        test_tensor=_test(noise.name, folder),
    )


def _output(name: str, ports: Ports, halo: tuple[int, ...] | None, folder: Path) -> Any:
    spatial: list[Any] = []
    for number, axis in enumerate(ports.axes):
        given = {"id": zoo.AxisId(axis), "size": _like_the_image(axis)}
        spatial.append(
            zoo.SpaceOutputAxis(**given)
            if halo is None
            else zoo.SpaceOutputAxisWithHalo(**given, halo=halo[number])
        )
    noise = name == LOG_VARIANCE
    return zoo.OutputTensorDescr(
        id=zoo.TensorId(name),
        description="ln of the variance of a measurement around the signal, counts squared"
        if noise
        else "clean channels, detector counts: one posterior sample",
        axes=_axes(list(ports.channels), iter(spatial)),
        test_tensor=_test(name, folder),
    )


def _like_the_image(axis: str) -> Any:
    return zoo.SizeReference(tensor_id=zoo.TensorId(MIXED), axis_id=zoo.AxisId(axis))


def _test(name: str, folder: Path) -> Any:
    return zoo.FileDescr(source=folder / tensor_file(name))
