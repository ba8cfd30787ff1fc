"""What noise models are fitted to, and how well they fit."""

import attrs

from denoisplit.core.arrays import FloatArray, IntArray


@attrs.frozen
class NoisePairs:
    """Clean signal and noisy observation of the same pixels, for fitting a noise model.

    Attributes:
        signal: 1-D, detector counts.
        observation: 1-D of the same length, detector counts.
        origin: origin of the pairs, for messages (``clean reference``, ``repeats``, ``bootstrap``).
        step: smallest difference between two values of the images, counts (1 for integers), if the
            observations do not show it because they were rescaled; else 0.
        place: row and column [2 pairs] in the image as recorded by the camera, for models with maps of a
            camera; else None.
        channel: name of the channel, for messages; empty where unknown.
    """

    signal: FloatArray
    observation: FloatArray
    origin: str = "pairs"
    step: float = 0.0
    place: IntArray | None = None
    channel: str = ""


@attrs.frozen
class FitReport:
    """Quality of the fit of a noise model to one channel.

    Attributes:
        channel: index of the channel.
        pairs: number of pairs used.
        nll: mean negative log-likelihood, nats per pixel.
        calibration_error: largest distance of the probability integral transform from uniform, 0 to 1.
        warnings: warnings for the user, one sentence each.
    """

    channel: int
    pairs: int
    nll: float
    calibration_error: float
    warnings: tuple[str, ...] = ()
