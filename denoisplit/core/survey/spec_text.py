"""Text of a proposed experiment: a commented spec."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
import yamlcore

from denoisplit.core.errors import quoted
from denoisplit.core.spec.resolution import escape
from denoisplit.core.spec.yaml_text import EDITOR_HEADER
from denoisplit.core.survey.proposal import DatasetPlan, Plan
from denoisplit.core.version import VERSION

_WIDTH: Final = 110
_START: Final = "model:lines-blobs"
_LEVELS_OF_START: Final = 4
_WIDTH_OF_START: Final = 32
"""Levels and width of the network that comes with denoisplit; multiples of the width take it, too."""


def spec_text(plan: Plan, path: Path) -> str:
    """Write the spec with a comment on every choice."""
    lines = [
        *_heading(plan),
        "spec_version: 1",
        "",
        *_comment(plan.preset_why),
        f"preset: {plan.preset}",
        *_comment(plan.channels_why),
        f"channels: {_flow(list(plan.channels))}",
        "",
        "data:",
        *_data(plan, path),
        "",
        "model:",
        *_model(plan),
        "",
        "training:",
        *_training(plan),
        "",
        *_comment("What to do next:"),
        *(f"#   {command}" for command in next_commands(Path(path.name))),
    ]
    return EDITOR_HEADER + "\n".join(lines) + "\n"


def next_commands(path: Path) -> tuple[str, ...]:
    """Return the next commands for a spec at this path."""
    run = f"runs/{path.stem}"
    return (
        quoted(("denoisplit", "check", path)),
        quoted(("denoisplit", "data", "check", path)),
        quoted(("denoisplit", "train", path, "--out", run)),
        quoted(("denoisplit", "evaluate", run, "--figure", "scores.png")),
    )


def _heading(plan: Plan) -> Iterator[str]:
    yield from _comment(f"Proposed by denoisplit new {VERSION}. Lines that begin with # are explanations.")
    yield "#"
    yield "# Found:"
    for line in plan.found:
        yield from _item(line)
    if plan.questions:
        yield "# Please decide; look for EDIT below:"
        for line in plan.questions:
            yield from _item(line)
    if plan.remarks:
        yield "# Please note:"
        for line in plan.remarks:
            yield from _item(line)


def _data(plan: Plan, path: Path) -> Iterator[str]:
    for dataset in plan.datasets:
        yield from _comment(f"{dataset.why}", "  ")
        yield from _dataset(dataset, path)
    if plan.held is not None:
        yield from _comment(plan.held.why, "  ")
        yield f"  validation_fraction: {plan.held.fraction}"
        if plan.held.regions:
            yield f"  split: {_flow({'rule': 'regions', 'gap': plan.held.gap})}"
    mixing = plan.mixing
    yield "  mixing:"
    if mixing.mode:
        yield from _comment(mixing.mode_why, "    ")
        yield f"    mode: {mixing.mode}"
    yield from _comment(mixing.offset_why, "    ")
    yield f"    offset: {mixing.offset}"
    yield from _comment(plan.noise_why, "  ")
    yield f"  noise_pairs: {plan.noise_pairs}"


def _dataset(dataset: DatasetPlan, path: Path) -> Iterator[str]:
    yield f"  {dataset.key}:"
    yield f"    use: {dataset.use}"
    yield f"    path: {_flow(escape(near(dataset.path, path.parent)))}"
    for name, value in dataset.options:
        yield f"    {name}: {_flow(_escaped(value))}"


def _model(plan: Plan) -> Iterator[str]:
    size, one = plan.size, plan.preset == "hdn"
    if size.binning > 1:
        why = (
            "The pixels are finer than what they show: the finest detail above the noise is about "
            f"{0.5 / size.finest:.0f} pixels wide. The network averages {size.binning} x {size.binning} "
            "pixels, which averages the noise and lets it see farther."
        )
    else:
        why = "Details are about as fine as the pixels, or the images are small: no binning."
    yield from _comment(why, "  ")
    where = f"the GPU ({plan.gpu})" if plan.gpu else "a computer without GPU"
    yield from _comment(
        f"{size.levels} levels from fine to coarse, {size.width} maps each: smaller than in the paper, for "
        f"{where}.",
        "  ",
    )
    encoder = {"levels": size.levels, "width": size.width}
    decoder: dict[str, Any] = {"latent_channels": size.width}
    if one:
        encoder["blocks"] = decoder["blocks"] = 1
    yield f"  encoder: {_flow({**encoder, 'dropout': 0.0, 'binning': size.binning})}"
    yield f"  decoder: {_flow({**decoder, 'dropout': 0.0})}"
    if not one:
        yield from _comment("weighs the description of the image as a whole; suits short trainings", "  ")
        yield "  kl_scheme: {use: elbo}"


def _training(plan: Plan) -> Iterator[str]:
    size = plan.size
    yield from _comment(plan.duration or "how long a training takes was not measured (--quick)", "  ")
    yield f"  steps: {size.steps}"
    yield from _comment(
        f"squares that the network sees at a time; a step needs about {max(0.1, size.memory / 2**30):.1f} "
        "GiB of memory",
        "  ",
    )
    yield f"  patch: {size.patch}"
    yield f"  batch: {size.batch}"
    yield from _comment("a rate for short trainings that falls to zero at the last step", "  ")
    yield f"  learning_rate: {'1e-3' if plan.preset == 'hdn' else '3e-3'}"
    yield "  schedule: cosine"
    if plan.preset != "hdn":
        yield from _comment("learns in fewer steps than the optimiser of the paper, adamax", "  ")
        yield "  optimizer: muon"
    yield from _comment("flips and rotations: more to learn from the same images", "  ")
    yield "  augment: true"
    fits = size.levels == _LEVELS_OF_START and size.width % _WIDTH_OF_START == 0 and size.binning > 1
    if fits and plan.preset == "denoisplit":
        yield from _comment(
            "starts from the network that comes with denoisplit: it has seen simulated "
            "structures, and real images were split better for it; null starts from nothing",
            "  ",
        )
        yield f"  start_from: {_START}"
    yield from _comment("after an interruption, training goes on from the last of these points", "  ")
    yield f"  validate_every: {size.steps // 20}"
    yield f"  checkpoint_every: {size.steps // 20}"
    yield from _comment("chooses the fields that are held out, and everything else that is random", "  ")
    yield "  seed: 0"


def near(folder: Path, spec_folder: Path) -> str:
    """Return a folder relative to that of the spec if it is below it, else in full."""
    target, base = folder.resolve(), spec_folder.resolve()
    return target.relative_to(base).as_posix() if target.is_relative_to(base) else target.as_posix()


def _comment(text: str, indent: str = "") -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _item(text: str) -> Iterator[str]:
    first, *rest = textwrap.wrap(text, _WIDTH - 6, break_long_words=False, break_on_hyphens=False)
    yield f"#   - {first}"
    yield from (f"#     {line}" for line in rest)


def _escaped(value: str | int | Sequence[str | int]) -> Any:
    if isinstance(value, str):
        return escape(value)
    return [_escaped(item) for item in value] if isinstance(value, Sequence) else value


def _flow(value: Any) -> str:
    """Return a value in YAML, on one line."""
    text: str = yaml.dump(
        value,
        Dumper=yamlcore.CoreDumper,
        default_flow_style=True,
        allow_unicode=True,
        sort_keys=False,
        width=1_000_000,
    )
    return text.removesuffix("...\n").strip()
