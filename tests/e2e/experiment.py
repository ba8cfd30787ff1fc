"""A folder of images, a spec that trains on them, and the run, all small enough for a test."""

from pathlib import Path

import attrs

import denoisplit
from denoisplit.core.images.bases import Image, PixelSize
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff

CHANNELS = ("filaments", "mitochondria")
PIXEL_SIZE = PixelSize((0.08, 0.1))
SPEC = """
spec_version: 1
preset: denoisplit
channels: [filaments, mitochondria]
data:
  train: {use: folder, path: images, observed: "*_noisy.ome.tif", clean: "*_clean.ome.tif"}
  validation_fraction: 0.4
  test: {use: simulated, fields: 1, size: 21, seed: 3}
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {fit_pairs: 2000, fit_steps: 5}
training: {steps: 4, batch: 1, patch: 16, validate_every: 2, checkpoint_every: 3, precision: float32}
prediction: {samples: 2}
"""


@attrs.frozen
class Experiment:
    """Where everything of one experiment is."""

    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / "spec.yaml"

    @property
    def images(self) -> Path:
        return self.folder / "images"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def write(self) -> None:
        """Write images and spec."""
        self.images.mkdir(parents=True)
        fields = Simulated(Simulated.Options(fields=3, size=32, seed=1), channels=CHANNELS).fields()
        for number, field in enumerate(fields):
            for kind, pixels in (("noisy", field.observed), ("clean", field.clean)):
                assert pixels is not None
                record = Image(data=pixels, axes="cyx", channel_names=CHANNELS, pixel_size=PIXEL_SIZE)
                OmeTiff(OmeTiff.Options()).write(self.images / f"{number}_{kind}.ome.tif", record)
        self.spec.write_text(SPEC, encoding="utf-8")

    def train(self) -> None:
        denoisplit.train(self.spec, self.run)
