"""Logger: Weights & Biases, with the extra ``wandb``."""

import importlib
from collections.abc import Mapping
from threading import Thread
from typing import Any, Final, Literal

import attrs
from attrs.validators import in_

from denoisplit.core.training.logger import Picture
from denoisplit.plugins.loggers._needed import ServiceLogger

_SECONDS: Final = 60
"""Seconds to wait for a server."""

_UPLOAD_SECONDS: Final = 300.0
"""Seconds to wait for the last uploads."""


class Wandb(ServiceLogger):
    """Numbers, pictures and the spec as a run of Weights & Biases, in its cloud or on a server of your own.

    ``offline`` keeps everything in the folder ``wandb`` of the run, from where ``wandb sync`` uploads it; use
    it on a machine without a network or an account. A resumed training continues the same run there.

    Source: Biewald, Weights & Biases, 2020.
    """

    package = "wandb"

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the logger.

        Attributes:
            project: project that the run belongs to.
            entity: user or team that owns it; empty for that of the account.
            name: name of the run; empty for that of its folder.
            mode: ``online`` or ``offline``.
        """

        project: str = "denoisplit"
        entity: str = ""
        name: str = ""
        mode: Literal["online", "offline"] = attrs.field(
            default="online", validator=in_(("online", "offline"))
        )

    options: Options
    _run: Any = None

    def begin(self, about: Mapping[str, Any], *, step: int) -> None:
        """Begin a run, or continue that of the resume point."""
        del step
        wandb, own = importlib.import_module("wandb"), self.options
        # Silenced altogether: otherwise it asks at the terminal for a key, where nobody may be.
        wandb.setup(settings=wandb.Settings(silent=True))
        self._run = wandb.init(
            project=own.project,
            entity=own.entity or None,
            name=own.name or self.folder.name,
            dir=str(self.folder),
            config=dict(about),
            mode=own.mode,
            id=self._id,
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", init_timeout=_SECONDS),
        )
        self._id = self._run.id
        # Its own step must never be repeated, but steps after a resume point are.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def values(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a point to every curve."""
        self._run.log({"step": step, **numbers})

    def picture(self, step: int, title: str, pixels: Picture) -> None:
        """Add a picture."""
        image = importlib.import_module("wandb").Image(pixels, caption=f"step {step}")
        self._run.log({"step": step, title: image})

    def end(self, *, finished: bool) -> None:
        """Report how the training ended, and wait until everything is uploaded.

        Raises:
            TimeoutError: the upload takes too long, for example because the network is gone.
        """
        # It has no time limit itself: calibration waits for it, and everything is in the folder anyway.
        upload = Thread(target=self._run.finish, kwargs={"exit_code": 0 if finished else 1}, daemon=True)
        upload.start()
        upload.join(_UPLOAD_SECONDS)
        if upload.is_alive():
            raise TimeoutError(
                f"the upload was not confirmed within {_UPLOAD_SECONDS:g} s: run wandb sync later"
            )
