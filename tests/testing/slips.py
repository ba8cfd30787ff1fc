"""Slips in the built-in components that an earlier exam did not notice, and the law that catches each.

Unlike a mutant, a slip is other source text in the body of a function.
"""

import importlib.util
from pathlib import Path

import attrs


@attrs.frozen
class Slip:
    """One slip.

    Attributes:
        component: ``kind/name`` of the component that has it.
        what: it does.
        file: in ``denoisplit/plugins``.
        old, new: source text; ``old`` is in the file once.
        law: that catches it.
    """

    component: str
    what: str
    file: str
    old: str
    new: str
    law: str

    def __str__(self) -> str:
        return f"{self.component}: {self.what}"

    def path(self) -> Path:
        """The file that it is made in."""
        spec = importlib.util.find_spec("denoisplit.plugins")
        assert spec is not None
        assert spec.origin is not None
        return Path(spec.origin).parent / self.file

    def source(self) -> str:
        """The text of the file with the slip."""
        text = self.path().read_text(encoding="utf-8")
        assert text.count(self.old) == 1, f"{self}: the source has changed; so has what to examine"
        return text.replace(self.old, self.new)


SLIPS = (
    Slip(
        "calibrator/scale",
        "fit_squares divides by std instead of variance",
        "calibrators/scale.py",
        (
            "        score = squares / std.astype(np.float64) ** 2\n"
            '        check_certain("factor", score, called="mean squared score")\n'
            "        return self._of(score)\n"
            "\n"
        ),
        (
            "        score = squares / std.astype(np.float64)\n"
            '        check_certain("factor", score, called="mean squared score")\n'
            "        return self._of(score)\n"
            "\n"
        ),
        "squared_errors_calibrate_as_a_truth_does",
    ),
    Slip(
        "calibrator/affine",
        "fit_squares takes errors for squared errors",
        "calibrators/affine.py",
        '        check_certain("slope", squares)\n        return self._of(std, squares)\n',
        '        check_certain("slope", squares)\n        return self._of(std, np.sqrt(np.abs(squares)))\n',
        "squared_errors_calibrate_as_a_truth_does",
    ),
    Slip(
        "calibrator/region",
        "variance as std",
        "calibrators/region_sizes.py",
        "stds = [float(calibrator.apply(of, one)[0, channel, 0]) for calibrator, of in found]",
        "stds = [float(calibrator.apply(of, one)[0, channel, 0]) ** 2 for calibrator, of in found]",
        "the_std_of_sums_is_that_of_their_errors",
    ),
    Slip(
        "calibrator/conformal",
        "next LOWER kept level (undercovers)",
        "calibrators/half_widths.py",
        (
            "    index = int(np.searchsorted(kept, level - ROUNDING))\n"
            "    if index == len(kept):\n"
            "        raise CalibrationError(\n"
            '            f"calibration: the held-out pixels allow intervals up to {kept[-'
            '1]:g} (got {level:g}). "\n'
        ),
        (
            "    index = max(0, int(np.searchsorted(kept, level - ROUNDING)) - 1)\n"
            "    if index == len(kept):\n"
            "        raise CalibrationError(\n"
            '            f"calibration: the held-out pixels allow intervals up to {kept[-'
            '1]:g} (got {level:g}). "\n'
        ),
        "intervals_cover_as_often_as_they_say",
    ),
    Slip(
        "decoder/ladder",
        "learned prior is zero beyond the training patch",
        "decoders/ladder_level.py",
        "    return parameters.repeat(1, 1, *repeats)[window]\n",
        (
            "    import torch as t\n"
            "    pad = [x for h, s in zip(reversed(have), reversed(size)) for x in (0, max(0,"
            " s - h))]\n"
            "    return t.nn.functional.pad(parameters, pad)[window]\n"
        ),
        "an_image_of_copies_has_a_prior_of_copies",
    ),
    Slip(
        "decoder/ladder",
        "window cut from the corner: start ignored",
        "decoders/ladder_path.py",
        "        output = self._decoded(features, step, window)\n",
        (
            "        window = tuple(slice(0, w.stop - w.start) for w in window)\n"
            "        output = self._decoded(features, step, window)\n"
        ),
        "a_window_is_that_part_of_the_output",
    ),
    Slip(
        "decoder/ladder",
        "output rounded to bfloat16",
        "decoders/output_layer.py",
        "return by_windows(lambda part: layer(part.to(dtype)), state, reach=reach)",
        "return by_windows(lambda part: layer(part.to(dtype)).bfloat16().to(dtype), state, reach=reach)",
        "derivatives_are_those_of_differences",
    ),
    Slip(
        "decoder/ladder",
        "clip ignored",
        "decoders/ladder.py",
        "clip=options.clip, naive_variance",
        "clip=None, naive_variance",
        "every_option_has_an_effect",
    ),
    Slip(
        "decoder/ladder",
        "no noise in training mode",
        "decoders/ladder_level.py",
        (
            "        return mean + distribution.stddev * noise.normal(self.options.index, mea"
            "n)\n"
            "\n"
            "    def infer(self, features: Tensor) -> Normal:\n"
            '        """Posterior from merged features."""\n'
        ),
        (
            "        drawn = distribution.stddev * noise.normal(self.options.index, mean)\n"
            "        return mean if self.training else mean + drawn\n"
            "\n"
            "    def infer(self, features: Tensor) -> Normal:\n"
            '        """Posterior from merged features."""\n'
        ),
        "training_sees_what_evaluation_sees",
    ),
    Slip(
        "decoder/ladder",
        "draw detached (sample instead of rsample)",
        "decoders/ladder_level.py",
        (
            "        return mean + distribution.stddev * noise.normal(self.options.index, mea"
            "n)\n"
            "\n"
            "    def infer(self, features: Tensor) -> Normal:\n"
            '        """Posterior from merged features."""\n'
        ),
        (
            "        return (mean + distribution.stddev * noise.normal(self.options.index, me"
            "an)).detach()\n"
            "\n"
            "    def infer(self, features: Tensor) -> Normal:\n"
            '        """Posterior from merged features."""\n'
        ),
        "derivatives_are_those_of_differences",
    ),
    Slip(
        "encoder/ladder",
        "input image changed in place",
        "encoders/ladder.py",
        (
            "        x: Tensor = self.stem(self.bin(mixed))\n"
            "        for level in self.levels:\n"
            "            x = level(x)\n"
            "            features.append(x)\n"
        ),
        (
            "        x: Tensor = self.stem(self.bin(mixed.clamp_(-3, 3)))\n"
            "        for level in self.levels:\n"
            "            x = level(x)\n"
            "            features.append(x)\n"
        ),
        "evaluation_changes_nothing_and_inputs_stay",
    ),
    Slip(
        "encoder/lateral_context",
        "surround cut at the corner instead of the centre (retain: neither)",
        "encoders/lateral_context.py",
        (
            "            context = centre_crop(context, tuple(x.shape[2:]))\n"
            "        else:\n"
            "            x = centre_pad(x, tuple(context.shape[2:]))\n"
            "        merged: Tensor = self.merges[index](x, context)\n"
        ),
        (
            "            context = context[(slice(None), slice(None), *(slice(0, n) for n in "
            "x.shape[2:]))]\n"
            "        else:\n"
            "            x = centre_pad(x, tuple(context.shape[2:]))\n"
            "        merged: Tensor = self.merges[index](x, context)\n"
        ),
        "features_look_at_their_own_place_in_every_scale",
    ),
    Slip(
        "encoder/ladder",
        "hidden augmentation in training mode only",
        "encoders/ladder.py",
        (
            "        x: Tensor = self.stem(self.bin(mixed))\n"
            "        for level in self.levels:\n"
            "            x = level(x)\n"
            "            features.append(x)\n"
        ),
        (
            "        x: Tensor = self.stem(self.bin(mixed))\n"
            "        if self.training:\n"
            "            x = x.flip(-1)\n"
            "        for level in self.levels:\n"
            "            x = level(x)\n"
            "            features.append(x)\n"
        ),
        "training_sees_what_evaluation_sees",
    ),
    Slip(
        "encoder/ladder",
        "circular padding",
        "blocks.py",
        (
            "    module: nn.Module = _CONV[rank](inputs, outputs, kernel, stride=stride, padd"
            "ing=kernel // 2, bias=bias)\n"
            "    return module\n"
            "\n"
            "\n"
        ),
        (
            "    module: nn.Module = _CONV[rank](inputs, outputs, kernel, stride=stride, padd"
            "ing=kernel // 2, padding_mode='circular', bias=bias)\n"
            "    return module\n"
            "\n"
            "\n"
        ),
        "borders_are_far_from_each_other",
    ),
    Slip(
        "kl_scheme/denoisplit",
        "free bits on the batch mean instead of per image",
        "kl_schemes/reduction.py",
        (
            "        divergence = divergence.clamp(min=divergence.new_tensor(lowest))\n"
            "    return divergence.mean(0)\n"
            "\n"
            "\n"
        ),
        (
            "        return divergence.mean(0).clamp(min=divergence.new_tensor(lowest))\n"
            "    return divergence.mean(0)\n"
            "\n"
            "\n"
        ),
        "order_and_duplicates_of_a_batch_do_not_matter",
    ),
    Slip(
        "kl_scheme/denoisplit",
        "analytic ignored",
        "kl_schemes/reduction.py",
        "level_sums(levels, analytic=self.options.analytic)",
        "level_sums(levels, analytic=False)",
        "a_closed_form_needs_no_sample",
    ),
    Slip(
        "kl_scheme/microsplit",
        "share swapped",
        "kl_schemes/microsplit.py",
        "return share * per_pixel + (1 - share) * per_scalar / len(levels)",
        "return (1 - share) * per_pixel + share * per_scalar / len(levels)",
        "a_blend_is_what_it_blends_at_its_ends",
    ),
    Slip(
        "kl_scheme/denoisplit",
        "no free bits are endless ones beside levels that have some",
        "kl_schemes/reduction.py",
        '-float("inf")',
        'float("inf")',
        "several_numbers_are_one_per_level_finest_first",
    ),
    Slip(
        "kl_scheme/denoisplit",
        "free bits per level reversed",
        "kl_schemes/reduction.py",
        (
            '    floors = spread(free_bits, divergence.shape[1], "free_bits")\n'
            "    if max(floors) >= SMALLEST_FREE_BITS:\n"
            '        lowest = [floor if floor >= SMALLEST_FREE_BITS else -float("inf") for fl'
            "oor in floors]\n"
            "        divergence = divergence.clamp(min=divergence.new_tensor(lowest))\n"
        ),
        (
            '    floors = spread(free_bits, divergence.shape[1], "free_bits")[::-1]\n'
            "    if max(floors) >= SMALLEST_FREE_BITS:\n"
            '        lowest = [floor if floor >= SMALLEST_FREE_BITS else -float("inf") for fl'
            "oor in floors]\n"
            "        divergence = divergence.clamp(min=divergence.new_tensor(lowest))\n"
        ),
        "several_numbers_are_one_per_level_finest_first",
    ),
    Slip(
        "noise_model/gaussian",
        "floor applied before pooling",
        "noise_models/gaussian.py",
        (
            '    """\n'
            '    if mode == "channel":\n'
            "        raw = raw.mean(dim=tuple(range(2, raw.ndim)), keepdim=True)\n"
            '    elif mode == "global":\n'
        ),
        (
            '    """\n'
            "    raw = raw.clamp(min=_LOWEST if floor is None else floor)\n"
            '    if mode == "channel":\n'
            "        raw = raw.mean(dim=tuple(range(2, raw.ndim)), keepdim=True)\n"
            '    elif mode == "global":\n'
        ),
        "a_floor_is_a_floor_and_nothing_else",
    ),
    Slip(
        "noise_model/gaussian",
        "log_variance_floor ignored",
        "noise_models/gaussian.py",
        ("    return raw.clamp(min=_LOWEST if floor is None else floor)\n\n\nclass Gaussian(NoiseModel):\n"),
        ("    return raw.clamp(min=_LOWEST)\n\n\nclass Gaussian(NoiseModel):\n"),
        "a_floor_is_a_floor_and_nothing_else",
    ),
    Slip(
        "noise_model/gaussian_mixture",
        "signal range of channel 0 used for all channels",
        "noise_models/gaussian_mixture.py",
        (
            "        t = (signal - low.view(-1, *space)) / (high - low).view(-1, *space)\n"
            "        # [c 3 K D] to [3 D K 1 c 1 1], which broadcasts against [b c y x]\n"
            "        weights = self.weights.to(signal.dtype).permute(1, 3, 2, 0)[:, :, :, Non"
            "e]\n"
            "        weights = weights.reshape(*weights.shape, *space)\n"
        ),
        (
            "        t = (signal - low[:1].view(-1, *space)) / (high - low)[:1].view(-1, *spa"
            "ce)\n"
            "        # [c 3 K D] to [3 D K 1 c 1 1], which broadcasts against [b c y x]\n"
            "        weights = self.weights.to(signal.dtype).permute(1, 3, 2, 0)[:, :, :, Non"
            "e]\n"
            "        weights = weights.reshape(*weights.shape, *space)\n"
        ),
        "mean_and_std_are_those_of_the_pairs_at_every_signal",
    ),
    Slip(
        "noise_model/gaussian_mixture",
        "mixture of channel 0 used for all channels",
        "noise_models/gaussian_mixture.py",
        (
            "        weights = self.weights.to(signal.dtype).permute(1, 3, 2, 0)[:, :, :, Non"
            "e]\n"
            "        weights = weights.reshape(*weights.shape, *space)\n"
            "        return components(t, weights, self.variance_floor.to(signal.dtype).sum(1"
            ").view(-1, *space))\n"
            "\n"
        ),
        (
            "        weights = self.weights[:1].expand_as(self.weights).to(signal.dtype).perm"
            "ute(1, 3, 2, 0)[:, :, :, None]\n"
            "        weights = weights.reshape(*weights.shape, *space)\n"
            "        return components(t, weights, self.variance_floor.to(signal.dtype).sum(1"
            ").view(-1, *space))\n"
            "\n"
        ),
        "mean_and_std_are_those_of_the_pairs_at_every_signal",
    ),
    Slip(
        "noise_model/binned_gaussian",
        "interpolation off by half a bin",
        "noise_models/binned_gaussian.py",
        (
            "        place = ((signal - low) / (high - low) * bins - 0.5).clamp(0, bins - 1)\n"
            "        lower = place.detach().floor().clamp(max=bins - 2)\n"
            "        first = bins * torch.arange(self.channels, device=signal.device).view(-1"
            ", *space)\n"
            "        table = self.table.to(signal.dtype).flatten(0, 1)\n"
        ),
        (
            "        place = ((signal - low) / (high - low) * bins).clamp(0, bins - 1)\n"
            "        lower = place.detach().floor().clamp(max=bins - 2)\n"
            "        first = bins * torch.arange(self.channels, device=signal.device).view(-1"
            ", *space)\n"
            "        table = self.table.to(signal.dtype).flatten(0, 1)\n"
        ),
        "the_noise_of_a_signal_is_that_of_its_pairs",
    ),
    Slip(
        "noise_model/poisson_gaussian",
        "hand-written derivative by the signal has the wrong sign",
        "noise_models/poisson_gaussian_maths.py",
        (
            "            (window.pull + (electrons - expected)) / expected,\n"
            "            (window.square / read.square() - 1) / read,\n"
            "        )\n"
        ),
        (
            "            -(window.pull + (electrons - expected)) / expected,\n"
            "            (window.square / read.square() - 1) / read,\n"
            "        )\n"
        ),
        "derivatives_are_those_of_differences",
    ),
    Slip(
        "noise_model/gaussian_mixture",
        "half precision not promoted",
        "noise_models/gaussian_mixture.py",
        (
            "        observation, signal = of_same_channels(*images[:2])\n"
            "        given = (observation, signal, *map(at_least_float32, images[2:]))\n"
        ),
        "        given = tuple(image.to(images[1].dtype) for image in images)\n",
        "half_precision_is_only_that_of_the_arguments",
    ),
    Slip(
        "noise_model/weighted",
        "Gaussian in counts instead of normalised units",
        "noise_models/weighted.py",
        (
            "        normalised = self.gaussian.log_prob(observation, signal, extra) + scale."
            "log()\n"
            "        return self.options.weight * camera + (1 - self.options.weight) * normal"
            "ised\n"
            "\n"
            "    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor |"
            " None = None) -> Tensor:\n"
        ),
        (
            "        normalised = self.gaussian.log_prob(observation, signal, extra)\n"
            "        return self.options.weight * camera + (1 - self.options.weight) * normal"
            "ised\n"
            "\n"
            "    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor |"
            " None = None) -> Tensor:\n"
        ),
        "other_units_change_the_density_by_their_logarithm",
    ),
    Slip(
        "dataset/simulated",
        "same noise generator in every field",
        "datasets/simulated.py",
        (
            "        rng = self._rng(number, _NOISE)\n"
            "        exposures = [self._float32(self.camera.expose(photons, rng)) for _ in ra"
            "nge(1 + self.options.repeats)]\n"
            "        return Field(\n"
            '            name=f"simulated {self.options.seed}-{number}",\n'
        ),
        (
            "        rng = self._rng(0, _NOISE)\n"
            "        exposures = [self._float32(self.camera.expose(photons, rng)) for _ in ra"
            "nge(1 + self.options.repeats)]\n"
            "        return Field(\n"
            '            name=f"simulated {self.options.seed}-{number}",\n'
        ),
        "the_noise_of_every_exposure_is_its_own",
    ),
    Slip(
        "dataset/folder",
        "channel_index: first channels instead of the chosen",
        "datasets/folder.py",
        (
            "            pixels = stacked([first_of(channel_of(pixels, number)) for number in index])\n"
            "        return pixels\n"
        ),
        ("            pixels = pixels[: len(index)]\n        return pixels\n"),
        "channels_come_in_the_order_of_their_names",
    ),
)
"""None of them is equivalent to what it replaces."""
