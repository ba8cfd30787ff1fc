"""Logger: MLflow, with the extra ``mlflow``."""

import importlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from denoisplit.core.training.logger import Picture
from denoisplit.plugins.loggers._needed import ServiceLogger

_LONGEST: Final = 500
"""Length of a parameter that every server accepts, characters."""

_MOST: Final = 100
"""Number of parameters that a server accepts at once."""


class MLflow(ServiceLogger):
    """Numbers, pictures and the spec as a run of MLflow, on a server or in files.

    A resumed training continues the same run there.

    Source: Zaharia et al., MLflow, 2018.
    """

    package = "mlflow"

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the logger.

        Attributes:
            server: address of the server, such as ``http://localhost:5000``; empty for that in
                ``MLFLOW_TRACKING_URI``, or MLflow's default where that is not set.
            experiment: experiment that the run belongs to; created if it does not exist.
            name: name of the run; empty for that of its folder.
        """

        server: str = ""
        experiment: str = "denoisplit"
        name: str = ""

    options: Options
    _client: Any = None

    def begin(self, about: Mapping[str, Any], *, step: int) -> None:
        """Begin a run, or continue that of the resume point."""
        del step
        own = self.options
        self._client = importlib.import_module("mlflow").MlflowClient(tracking_uri=own.server or None)
        if self._id is not None:
            self._client.update_run(self._id, status="RUNNING")
            return
        known = self._client.get_experiment_by_name(own.experiment)
        experiment = self._client.create_experiment(own.experiment) if known is None else known.experiment_id
        run = self._client.create_run(experiment, run_name=own.name or self.folder.name)
        self._id = run.info.run_id
        made = importlib.import_module("mlflow.entities").Param
        params = [made(name, value[:_LONGEST]) for name, value in _flat(about)]
        for first in range(0, len(params), _MOST):
            self._client.log_batch(self._id, params=params[first : first + _MOST])
        self._client.log_dict(self._id, dict(about), "spec.json")

    def values(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a point to every curve."""
        metric = importlib.import_module("mlflow.entities").Metric
        now = int(1000 * time.time())
        points = [metric(name, float(number), now, step) for name, number in numbers.items()]
        self._client.log_batch(self._id, metrics=points)

    def picture(self, step: int, title: str, pixels: Picture) -> None:
        """Add a picture."""
        self._client.log_image(self._id, pixels, key=title, step=step)

    def end(self, *, finished: bool) -> None:
        """Report how the training ended."""
        self._client.set_terminated(self._id, status="FINISHED" if finished else "FAILED")


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield plain values as text, with their paths: ``training.steps``."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, str(value)
