"""Laws of noise models about fitting, saving and concerns."""

import io
import math
import typing
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import attrs
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import NoiseModel, NoisePairs
from denoisplit.testing.global_generators import leaving_generators_alone
from denoisplit.testing.noise_model_laws.noise_model_cases import MANY, exported
from denoisplit.testing.noise_model_laws.noise_model_quality import NoiseModelQualityTests
from denoisplit.testing.noise_model_laws.pixel_maps import seen_by_a_pixel
from denoisplit.testing.refusals import refusing, unless_refused
from denoisplit.testing.suite import assert_close, assert_equal, in_two_and_three_dimensions, tried

_AS_LIKELY = 0.01

_DAMAGED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "text": lambda _: b"hello\n" * 99,
    "half": lambda whole: whole[: len(whole) // 2],
    "images": lambda _: _saved(np.zeros((4, 4))),
}
"""Contents of a damaged file."""

_EXPORTED = 0.2
"""Nats: a file may hold less than the model, for example without the density of unseen observations."""


class NoiseModelFitTests(NoiseModelQualityTests):
    """Laws of fitting and of files; they do not apply to a model that needs no fit, or writes none."""

    def test_a_fit_makes_it_ready_and_reports_every_channel(self) -> None:
        """After ``fit`` nothing needs a fit, and there is one finite report per channel."""
        options = self.smallest()
        self.require_fit(options)
        assert not self.model(options).needs_fit, "it still needs a fit after the fit"
        reports, channels = self.reports(options), self.statistics().channels
        assert [report.channel for report in reports] == list(range(channels)), (
            f"reports are of the channels {[report.channel for report in reports]}"
        )
        for report in reports:
            assert math.isfinite(report.nll), f"the nll of channel {report.channel} is {report.nll}"
            assert 0 <= report.calibration_error <= 1, f"calibration_error is {report.calibration_error}"
            assert report.pairs > 0, "the report counts no pairs"

    def test_a_fit_is_reproducible(self) -> None:
        """The same pairs and seed give the same model, and the global generators play no part."""
        options = self.smallest()
        self.require_fit(options)
        again = self.new(options)
        with leaving_generators_alone("a fit"):
            again.fit(self.pairs(self.enough(options)), seed=0)
        found = again.double().state_dict()
        for name, value in self.model(options).state_dict().items():
            assert_equal(found[name], value, f"{name} differs between two fits with one seed")

    @pytest.mark.parametrize("coarse", [False, True], ids=["default", "coarse"])
    def test_the_noise_of_a_signal_is_that_of_its_pairs(self, coarse: bool) -> None:
        """Pairs are no likelier with the noise of signals farther away than twice the bias, also of few bins.

        Coarse options have the smallest whole numbers.
        """
        options = self.defaults()
        if coarse:
            hints = typing.get_type_hints(type(options))
            whole = [f.alias for f in attrs.fields(type(options)) if f.init and hints[f.name] is int]
            smallest = self.smallest()
            options = attrs.evolve(options, **{name: getattr(smallest, name) for name in whole})
        self.require_fit(options)
        model = self.model(options, pairs=MANY)
        signal, observation = image_of(self.pairs(MANY))
        reach = torch.tensor([high - low for low, high in map(self.range_of, range(signal.shape[1]))])
        reach = reach.double().view(1, -1, 1, 1)
        inside = torch.stack([_within(s, *self.range_of(c)) for c, s in enumerate(signal[0])])[None]

        def likelihood(shift: Tensor) -> Tensor:
            found = model.log_prob(observation + shift, signal + shift, self.certain_maps(model, signal))
            return (found * inside).sum((0, 2, 3)) / inside.sum((0, 2, 3))

        with torch.no_grad():
            here, bias = likelihood(0 * reach), self.bias(model, signal).abs().amax((0, 2, 3))
            for share in (-0.12, 0.12):
                there = likelihood(share * reach)
                far = (abs(share) * reach).flatten() > 2 * bias
                gained = float((there - here)[far].max()) if bool(far.any()) else 0.0
                assert gained < _AS_LIKELY, (
                    f"with the noise of signals {share:+.0%} of the range away, pairs are likelier "
                    f"(by {gained:.3g} nats per pixel)"
                )

    @pytest.mark.parametrize("mistake", ["constant", "swapped", "mismatched", "narrow", "few", "same"])
    def test_pairs_that_cannot_be_right_are_refused(self, mistake: str) -> None:
        """With a ``NoiseModelError`` of one line."""
        self.require_fit(self.smallest())
        model = self.new(self.smallest())
        with refusing(NoiseModelError):
            model.fit([_wrong(one, mistake) for one in self.pairs(4000)], seed=0)

    @in_two_and_three_dimensions
    @tried(8, data=st.data())
    def test_numbers_survive_saving(self, rank: int, data: st.DataObject) -> None:
        """A new noise model with the saved state of a network needs no fit and gives the same likelihood."""
        options = data.draw(st.sampled_from(self.chosen()))
        model, signal = self.model(options), self.signals(rank, batch=2)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)  # not that of ``new``: numbers drawn in the constructor are others then
            made = self.target()(options, statistics=self.statistics())
        other: NoiseModel = seen_by_a_pixel(made).double()
        # As part of a network, whose state dict has longer names.
        inside, outside = nn.ModuleDict({"noise": other}), nn.ModuleDict({"noise": model})
        inside.load_state_dict(outside.state_dict(), strict=True)
        other.eval()
        assert not other.needs_fit, "a loaded model needs a fit"
        maps = self.maps(model, signal)
        assert_close(
            other.log_prob(signal + 7, signal, maps).detach(),
            model.log_prob(signal + 7, signal, maps).detach(),
            "the likelihood is another after saving and loading",
        )

    def test_exported_files_bring_the_noise_back(self) -> None:
        """A method ``export`` writes what an option ``path`` reads, and files that were read unchanged."""
        self.require_files()
        options, model = self.defaults(), self.model(self.defaults())
        signal, observation = image_of(self.pairs(MANY))
        found = []
        for name in ("first-", "second-"):
            paths = exported(model, self.statistics().channels, name)
            model = self.new(attrs.evolve(options, path=paths)).double().eval()
            assert not model.needs_fit, "a model with exported files needs a fit"
            with torch.no_grad():
                found.append(model.log_prob(observation, signal))
        assert_close(found[1], found[0], "files that were read are written otherwise", rtol=1e-6, atol=1e-6)
        with torch.no_grad():
            expected = self.model(options).log_prob(observation, signal)
        apart = float((found[0] - expected).abs().median())
        assert apart < _EXPORTED, f"exported files change the likelihood by {apart:.3g} nats"

    def test_files_of_several_fits_are_one_model(self) -> None:
        """Every channel has the density of its own file, whatever the options of the others' fits.

        Or they are refused in one line. What is written again is what was read.
        """
        usual = self.require_files()
        others = exported(self.model(self.smallest()), len(usual), "other-")
        paths = tuple(
            one if n % 2 else other for n, (one, other) in enumerate(zip(usual, others, strict=True))
        )
        signal, observation = image_of(self.pairs())
        options = [attrs.evolve(self.defaults(), path=files) for files in (paths, others, usual)]
        models = [unless_refused(partial(self.new, one), NoiseModelError) for one in options]
        known = [model.double().eval() for model in models if model is not None]
        if len(known) < len(models):
            return
        whole, *apart = known
        with torch.no_grad():
            found, *own = (model.log_prob(observation, signal) for model in (whole, *apart))
        for channel in range(len(paths)):
            assert_close(found[:, channel], own[channel % 2][:, channel], "beside other files it is another")
        for one, two in zip(exported(whole, len(paths), "again-"), paths, strict=True):
            assert one.read_bytes() == two.read_bytes(), "what is written is not what was read"

    def test_a_state_is_loaded_without_the_files_that_it_was_read_from(self) -> None:
        """They may be gone, and hold other numbers of whatever options ask for."""
        paths = self.require_files()
        signal, observation = image_of(self.pairs())
        gone = tuple(path.with_name(f"gone-{path.name}") for path in paths)
        model, other = (
            self.new(attrs.evolve(self.smallest(), path=files)).double().eval() for files in (paths, gone)
        )
        with torch.no_grad():
            expected = model.log_prob(observation, signal)
            # As part of a network, whose state dict has longer names.
            inside, outside = nn.ModuleDict({"noise": other}), nn.ModuleDict({"noise": model})
            inside.load_state_dict(outside.state_dict(), strict=True)
            assert not other.needs_fit, "a loaded model needs a fit"
            assert_close(other.log_prob(observation, signal), expected, "it is another without its files")

    @pytest.mark.parametrize("damage", ["missing", "text", "half", "images"])
    def test_files_that_hold_no_noise_are_refused(self, damage: str) -> None:
        """When it is built, or during the fit where a file does not exist: in one line."""
        usual = self.require_files()
        for number, whole in enumerate(usual):
            path = whole.with_name(f"{damage}-{whole.name}")
            if damage in _DAMAGED:
                path.write_bytes(_DAMAGED[damage](whole.read_bytes()))
            paths = tuple(path if n == number else one for n, one in enumerate(usual))
            with refusing(NoiseModelError):
                self.new(attrs.evolve(self.defaults(), path=paths)).fit(self.pairs(), seed=0)

    def test_concerns_are_a_channel_and_a_sentence_each(self) -> None:
        """They tell the user what training did to the noise model."""
        model = self.model(self.smallest())
        for channel, sentence in model.concerns():
            assert 0 <= channel < self.statistics().channels, f"a concern of channel {channel}"
            assert sentence.strip(), "a concern without words"


def _saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def image_of(pairs: Sequence[NoisePairs]) -> tuple[Tensor, Tensor]:
    """Return signal and observation [1 c 1 n]."""
    signal, observation = (
        torch.as_tensor(np.stack([getattr(one, name) for one in pairs]))[None, :, None]
        for name in ("signal", "observation")
    )
    return signal, observation


def _within(signal: Tensor, low: float, high: float) -> Tensor:
    """Return signals that stay in the range when they are moved by an eighth of it."""
    margin = (high - low) / 8
    return (signal > low + margin) & (signal < high - margin)


def _wrong(pairs: NoisePairs, mistake: str) -> NoisePairs:
    if mistake == "constant":
        return attrs.evolve(pairs, signal=np.full_like(pairs.signal, 300.0))
    if mistake == "swapped":
        return attrs.evolve(pairs, signal=pairs.observation, observation=pairs.signal)
    if mistake == "narrow":
        noise = pairs.observation - pairs.signal
        narrow = pairs.signal.mean() + 0.1 * noise.std() * np.sign(pairs.signal - pairs.signal.mean())
        return attrs.evolve(pairs, signal=narrow, observation=narrow + noise)
    if mistake == "few":
        return attrs.evolve(pairs, signal=pairs.signal[:20], observation=pairs.observation[:20])
    if mistake == "same":
        return attrs.evolve(pairs, observation=pairs.signal)
    return attrs.evolve(pairs, signal=pairs.signal[:-1])
