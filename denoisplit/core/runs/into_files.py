"""Predictions of a run into files, whole or in shards."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Unpack

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.given import path_of, paths_of
from denoisplit.core.images.bases import Image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.chosen_executor import executor_to_start
from denoisplit.core.prediction.estimate import Estimate, estimate
from denoisplit.core.prediction.files.elsewhere import Place
from denoisplit.core.prediction.files.items import images_among
from denoisplit.core.prediction.files.splitting import predict_shard, predict_to_file
from denoisplit.core.prediction.files.spool import spool_of
from denoisplit.core.prediction.outputs.result import PathLike, Prediction
from denoisplit.core.prediction.request import How, Request, Shard, request_of
from denoisplit.core.runs.predictor import Predictor
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.image_files import ImageInputs, files_among, open_given
from denoisplit.core.storage.lock import LockedError, exclusive
from denoisplit.core.storage.run_folder import RunFolder

_LOG: Final = logging.getLogger("denoisplit.runs")


class IntoFiles(Predictor):
    """Predictions of a run from files to files."""

    folder: RunFolder
    vse: VSE
    bundle: Bundle

    def predict_file(
        self, image: AnyArray | PathLike | Image, out: PathLike, *, dtype: str = "float32", **how: Unpack[How]
    ) -> Prediction:
        """Split and denoise an image into a file, with the same pixels as ``predict(...).save(out)``.

        The image is read, predicted and written tile by tile: image and result need not fit into memory.
        Unless ``tile`` is given, tiles are chosen for 1 GiB of working memory in this process and in each
        that ``processes`` and ``dask`` start.

        Args:
            image: file, or array (also a memory map); see ``predict``.
            out: file to write; the ending of its name chooses the format. An existing file is replaced when
                the new one is complete.
            dtype: type of the pixels: ``float32``, or ``uint16``, for which counts are rounded to whole
                numbers. Where they do not fit (more than 65535, negative, or all together fewer than 16),
                one factor and offset for the file are in it; ``whole`` of the prediction has them, too.
            how: the other arguments of ``predict``; also ``executor``, the name of the executor that predicts
                the tiles (``serial``, ``threads``, ``processes`` or one of a plugin), and ``resume``, which
                continues from the tiles that an interrupted prediction has left beside ``out``.

        Raises:
            DenoisplitError: see ``predict``.
            ImageError: no installed format has this ending, or the disk is full.
            RunError: ``out`` is, contains or lies in an input or a run; the stored tiles belong to another
                prediction; or a worker ended.
        """
        request = request_of("predict_file", how)
        opened, place = self._placed(image, out, request)
        return predict_to_file(self.vse, self.bundle, opened, request, place, dtype=dtype)

    def predict_shard(
        self,
        image: AnyArray | PathLike | Image,
        out: PathLike,
        shard: str,
        *,
        dtype: str = "float32",
        **how: Unpack[How],
    ) -> Prediction | None:
        """Predict a part of the tiles of an image; the shard that finishes last writes the file.

        Meant for array jobs of a cluster whose machines see the same files: each call does one shard, none
        waits for another, and one that was killed is simply called again.

        Args:
            image: see ``predict_file``.
            out: see ``predict_file``; finished tiles lie beside it until all are there.
            shard: which shard, ``I/N`` with I from 1 to N.
            dtype: see ``predict_file``.
            how: see ``predict_file``.

        Returns:
            The prediction; None while tiles of other shards are missing.

        Raises:
            DenoisplitError: see ``predict_file``.
            SpecError: no such shard.
            RunError: the stored tiles belong to another prediction or another number of shards.
        """
        part = Shard.parse(shard)
        request = attrs.evolve(request_of("predict_shard", how), shard=part, resume=True)
        opened, place = self._placed(image, out, request)
        missing = predict_shard(self.vse, self.bundle, opened, request, place, part)
        if missing:
            _LOG.info("%s: shard %s is done, %d tiles of others are missing", out, shard, missing)
            return None
        try:
            with exclusive(spool_of(path_of(out, "out"))):
                return predict_to_file(self.vse, self.bundle, opened, request, place, dtype=dtype)
        except LockedError:
            _LOG.info("%s: another shard writes the file", out)
            return None

    def estimate(
        self, images: AnyArray | PathLike | Image | Sequence[PathLike], **how: Unpack[How]
    ) -> Estimate:
        """Estimate memory and time of a prediction of images into files; predicts one tile for this.

        Args:
            images: see ``predict_file`` and ``predict_files``.
            how: see ``predict_file``.

        Raises:
            DenoisplitError: see ``predict_file``.
        """
        request = request_of("estimate", how)
        if isinstance(images, np.ndarray | Image):
            opened = [open_given(images, request.axes)]
        else:
            found = images_among(paths_of(images, "images"))
            opened = [open_given(path, request.axes) for path in found]
        return estimate(self.vse, self.bundle, opened, request)

    def _placed(
        self, image: AnyArray | PathLike | Image, out: PathLike, request: Request
    ) -> tuple[Image, Place]:
        """The opened image, and the destination of its prediction."""
        file = path_of(out, "out")
        ImageInputs([self.folder.path, *files_among(image, request.labels)]).require_other(file)
        opened = open_given(image, request.axes)
        place = Place(
            out=file,
            folder=self.folder,
            device=str(self.vse.device),
            image=Path(image) if isinstance(image, str | os.PathLike) else None,
            pixels=opened.data,
            resume=request.resume,
            executor=executor_to_start(request.executor),
        )
        return opened, place
