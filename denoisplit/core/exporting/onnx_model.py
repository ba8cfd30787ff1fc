"""Export as ONNX, which many programs and languages run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from denoisplit.core.errors import ExportError, in_one_line
from denoisplit.core.exporting.agreement import agreement
from denoisplit.core.exporting.exported import Agreement
from denoisplit.core.exporting.exported_details import KEY, as_text, exported_details
from denoisplit.core.exporting.exporter import Exporter, Trained
from denoisplit.core.exporting.ports import Ports
from denoisplit.core.exporting.tracing import quiet

OPSET: Final = 18
"""Version of the operators of ONNX."""

_HEADER: Final = 64

PACKAGES: Final = ("onnx", "onnxscript", "onnxruntime")
"""ONNX, what PyTorch needs to write it, and what runs it."""


class OnnxModel(Exporter):
    """Writes an ``.onnx`` file; its metadata have the details under ``denoisplit``."""

    ending = ".onnx"
    packages = PACKAGES

    def recognise(self, beginning: bytes) -> bool:
        """See ``Exporter.recognise``."""
        return b"pytorch" in beginning[:_HEADER]

    def write(self, trained: Trained, file: Path) -> Agreement:
        """Write the file; raises as ``Exporter.write``."""
        return save_onnx(trained, file)


def save_onnx(trained: Trained, file: Path) -> Agreement:
    """Write a network as ONNX with its details, after comparing it in ONNX Runtime.

    Raises:
        ExportError: it cannot be traced, or computes something else.
    """
    ports = trained.ports
    made = _converted(trained.program(), ports)
    found = agreement(trained.graph, ports, runtime(made.model_proto.SerializeToString(), ports))
    made.model.metadata_props[KEY] = as_text(exported_details(ports, trained.bundle, found))
    made.save(file, external_data=False)
    return found


def _converted(program: torch.export.ExportedProgram, ports: Ports) -> Any:
    try:
        with quiet():
            return torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=list(ports.inputs),
                output_names=list(ports.outputs),
            )
    except Exception as error:
        cause = error.__cause__ or error
        raise ExportError(
            f"export: this network has operations that ONNX cannot express "
            f"({type(cause).__name__}: {in_one_line(cause)}). Use --format torch."
        ) from error


def runtime(model: bytes | Path, ports: Ports) -> Any:
    """The function of a model in memory or in a file, computed by ONNX Runtime on the processor."""
    import onnxruntime  # type: ignore[import-untyped]  # an extra

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    given = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])

    def run(inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
        named = {name: tensor.numpy() for name, tensor in zip(ports.inputs, inputs, strict=True)}
        return [torch.from_numpy(array) for array in session.run(list(ports.outputs), named)]

    return run
