"""Decisions on a proposed experiment, with a reason for every choice."""

from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.errors import ImageError, counted
from denoisplit.core.survey.channels import ChannelNames, name_channels
from denoisplit.core.survey.dataset_plans import Abilities, dataset_plan
from denoisplit.core.survey.finding import by_reason, listed, listed_frames
from denoisplit.core.survey.findings import Arrangement, ChannelFacts, Facts, Found, Machine, Part
from denoisplit.core.survey.mixing_plan import mixing_plan
from denoisplit.core.survey.proposal import DatasetPlan, Held, Plan
from denoisplit.core.survey.sizing import Size, choose_size

ENOUGH: Final = 10
"""Smallest number of training fields from which some can be spared for validation."""

_SATURATED: Final = 0.001
_GIB: Final = 2**30
_FRACTION: Final = 0.1
_SPARES_TWO: Final = 4
"""Smallest number of places from which two are held out: a single one does not show how errors vary."""
_OF_A_FIELD: Final = 0.2


def decide(
    found: Found,
    arrangement: Arrangement,
    facts: Facts,
    machine: Machine,
    abilities: Abilities,
    *,
    channels: Sequence[str] = (),
    mixing: str = "",
) -> Plan:
    """Propose an experiment.

    Raises:
        ImageError: the images do not allow an experiment.
        SpecError: names that do not fit the files.
    """
    if facts.same_fields is False:
        parts = tuple(attrs.evolve(part, separate=True) for part in arrangement.parts)
        arrangement = attrs.evolve(arrangement, parts=parts)
    unlike = _unlike(arrangement.train) if facts.unlike else ""
    if facts.unlike:
        parts = tuple(attrs.evolve(part, clean=(), clean_patterns=()) for part in arrangement.parts)
        arrangement = attrs.evolve(arrangement, parts=parts)
    train = arrangement.train
    named = name_channels(train, channels)
    used = attrs.evolve(facts, channels=tuple(facts.channels[i] for i in named.index))
    mixed, question = mixing_plan(train, named, used, given=mixing)
    datasets = _datasets(found, arrangement, named, abilities)
    side = min(min(image.sides) for image in train.observed)
    holds_out = all(plan.key != "validation" for plan in datasets)
    places = _places(train, facts)
    if holds_out and places < 2:
        side = _side_of_region(train, abilities)
    size = choose_size(side, used, machine)
    held = _held(places, train, size) if holds_out else None
    one = len(named.names) == 1
    noise_pairs, noise_why = _noise(train, facts)
    return Plan(
        found=_story(found, arrangement, named, datasets),
        questions=tuple(q for q in (named.question, unlike, _separate(train, facts), question) if q),
        remarks=(*_remarks(found, arrangement, named, used, size, machine), *arrangement.remarks),
        preset="hdn" if one else "denoisplit",
        preset_why=(
            "denoise one channel (HDN)" if one else "split and denoise in one step, with a model of the noise"
        ),
        channels=named.names,
        channels_why=named.why,
        datasets=datasets,
        held=held,
        mixing=mixed,
        noise_pairs=noise_pairs,
        noise_why=noise_why,
        size=size,
        gpu=machine.gpu,
    )


def _datasets(
    found: Found, arrangement: Arrangement, named: ChannelNames, abilities: Abilities
) -> tuple[DatasetPlan, ...]:
    """Plan training images, and those for validation and test if there are any."""
    parts = {part.purpose: part for part in arrangement.parts}
    if "test" not in parts and "validation" in parts and arrangement.train.fields >= ENOUGH:
        parts["test"] = parts.pop("validation")
    whys = {
        "train": "images to learn from",
        "validation": "tells when training gets no better, and how large errors are",
        "test": "only for the scores of denoisplit evaluate, never seen in training",
    }
    return tuple(
        dataset_plan(
            key, f"{why}: {counted(parts[key].fields, 'field')}", parts[key], found, named, abilities
        )
        for key, why in whys.items()
        if key in parts
    )


def _side_of_region(train: Part, abilities: Abilities) -> int:
    """Return the side of the largest patch that fits the training part of a single field, with a gap."""
    if "regions" not in abilities.split_rules:
        raise ImageError(
            f"{train.observed[0].path}: one field of view is too little (got 1, needs 2: one to learn "
            "from, one to stop by). Add a field, or cut this one into two files."
        )
    sides = train.observed[0].sides
    return min(*sides, int((1 - _OF_A_FIELD) * max(sides)) // 2)


def _places(train: Part, facts: Facts) -> int:
    """Return the number of places that the fields show, as far as they were compared; a movie is one."""
    if facts.scenes == 1 and len(train.observed) == len(train.patterns):
        return 1  # Frames of one file that were not compared show what the others do.
    return train.fields - (facts.compared - facts.scenes)


def _held(places: int, train: Part, size: Size) -> Held:
    of = f"{places} training fields" if places == train.fields else f"{places} places"
    if places >= 2:
        wanted = max(round(_FRACTION * places), 2 if places >= _SPARES_TWO else 1)
        fraction = max(_FRACTION, round(wanted / places, 2))
        return Held(
            fraction=fraction,
            why=(
                f"held out of the {of}: {wanted}, chosen by training.seed, to tell "
                "when training gets no better, and how large errors are"
            ),
        )
    return Held(
        fraction=_OF_A_FIELD,
        regions=True,
        gap=size.patch,
        why=(
            f"there is one {'field' if train.fields == 1 else 'place'} only, so a fifth of it is held out, "
            f"with a gap of one patch"
        ),
    )


def _noise(train: Part, facts: Facts) -> tuple[str, str]:
    if train.clean:
        return "clean", "the noise of the camera is learnt from pairs of noisy and clean images"
    if facts.places:
        # Not "repeats", which would be refused where no part to learn from shows a place several times.
        return "auto", (
            "several images show one place: the noise is learnt from what differs between them, if "
            "those to learn from show it"
        )
    return "bootstrap", "there are no clean images: the noise is learnt from the noisy images themselves"


def _unlike(train: Part) -> str:
    """Return the question to ask where clean images show something else than their partners by name."""
    noisy, clean = (listed([str(image.path) for image in own]) for own in (train.observed, train.clean))
    return (
        f"Do {clean} show the same as {noisy}? By their names they are clean images of these, but their "
        "pixels have hardly anything in common, so they are left out. If partners are mixed up, correct the "
        "names; to learn from all of them, rename them without words such as low and high, or raw and clean. "
        "Then run again."
    )


def _separate(train: Part, facts: Facts) -> str:
    """Return the question to ask where structures have files of their own."""
    if not train.structures or train.mixed or facts.same_fields:
        return ""
    names = ", ".join(train.structures)
    if facts.same_fields is False:
        return (
            f"Do the images of {names} with the same name show different fields? Their cells do not "
            "coincide, so they are mixed at random (use: separate_channels). If the fields are the same, "
            "write use: channel_files."
        )
    if train.separate:
        return (
            f"Do the images of {names} show different fields? Their names differ, so they are mixed at "
            "random (use: separate_channels). If the fields are the same, give them the same names."
        )
    return (
        f"Do the images of {names} with the same name show the same field? It is taken for granted (use: "
        f"channel_files). If they are different cells, write use: separate_channels."
    )


def _story(
    found: Found, arrangement: Arrangement, named: ChannelNames, datasets: Sequence[DatasetPlan]
) -> tuple[str, ...]:
    first = arrangement.train.observed[0]
    serves = {plan.path: plan.key for plan in datasets}
    lines = [
        f"{serves[found.folder / part.folder]}: {_counted(part)} in {found.folder / part.folder}"
        for part in arrangement.parts
    ]
    sides = sorted({image.sides for part in arrangement.parts for image in part.observed})
    size = " x ".join(str(side) for side in sides[0])
    if len(sides) > 1:
        size += " to " + " x ".join(str(side) for side in sides[-1])
    pixel = first.pixel_size
    width = pixel.size[-1] if pixel else None
    scale = f", pixel {width:.4g} {pixel.unit}" if pixel and width else ", pixel size unknown"
    lines.append(
        f"images: {counted(named.of, 'channel')}, {size} pixels, {first.dtype}, axes {first.axes}{scale}"
    )
    if found.skipped:
        lines.append(f"left out: {len(found.skipped)} that cannot be used")
    return tuple(lines)


def _counted(part: Part) -> str:
    text = counted(len(part.observed), "image")
    if part.structures:
        text += f" of {', '.join(part.structures)}"
    if part.fields != len(part.observed) and not part.structures:
        text += f" ({part.fields} planes)"
    return text + " with clean partners" * bool(part.clean) + " and recorded mixed images" * bool(part.mixed)


def _remarks(
    found: Found, arrangement: Arrangement, named: ChannelNames, facts: Facts, size: Size, machine: Machine
) -> list[str]:
    train = arrangement.train
    remarks = [
        f"{listed(paths)} {'is' if len(paths) == 1 else 'are'} left out: {reason}"
        for reason, paths in by_reason(found.skipped)
    ]
    remarks += facts.remarks
    saturated = [
        f"{channel.saturated:.1%} of {name}"
        for name, channel in zip(named.names, facts.channels, strict=True)
        if channel.saturated > _SATURATED
    ]
    if saturated:
        remarks.append(
            f"Pixels are at the maximum ({', '.join(saturated)}): too much light for the camera, or a "
            "clipped export. A network learns such pixels wrongly; lower the exposure if you can."
        )
    if facts.places:
        names = max(facts.places, key=len)
        remarks.append(
            f"{listed_frames(names)} are exposures of one place, not separate fields (found by their "
            f"pixels, {sum(map(len, facts.places))} of {facts.compared} that were compared). They stay "
            f"together in training or validation."
        )
    if facts.copies:
        names = max(facts.copies, key=len)
        remarks.append(
            f"{listed_frames(names)} have the same pixels: copies of one image, which teach nothing. Remove "
            f"all but one."
        )
    if _places(train, facts) < ENOUGH:
        remarks.append(
            f"{counted(_places(train, facts), 'field')} to learn from: few. Ten of 512 x 512 pixels are a "
            "beginning."
        )
    needed = sum(4 * _pixels(part) for part in arrangement.parts)
    if needed > machine.memory:
        remarks.append(
            f"The images take {needed / _GIB:.1f} GiB of memory when they are read. Should that be too much, "
            "memory: 256 under data.train reads files of more than that (MiB, as float32) piece by piece."
        )
    if any(image.planes > 1 for image in train.observed):
        remarks.append(
            "Files with several planes or times are learnt from plane by plane. Neighbours look alike: for "
            "scores that mean something, put whole files into folders train and test."
        )
    if size.shrunk:
        remarks.append(f"{_small(train)}, so patches have only {size.patch} pixels.")
    if (dull := _dull(named, facts.channels)) and len(named.names) > 1:
        remarks.append(
            f"{listed(dull)}: more than five times dimmer than the brightest; it is harder to find."
        )
    return remarks


def _small(train: Part) -> str:
    """Say which images are small: some of them, which may be thumbnails, or all."""
    sides = {image.path: min(image.sides) for image in train.observed}
    small = [str(path) for path, side in sides.items() if 2 * side <= max(sides.values())]
    if not small:
        return "The images are small"
    return f"{listed(small)}: smaller than the others (move them away if they are thumbnails)"


def _pixels(part: Part) -> int:
    return int(
        sum(np.prod(image.shape, dtype=np.int64) for image in (*part.observed, *part.clean, *part.mixed))
    )


def _dull(named: ChannelNames, channels: Sequence[ChannelFacts]) -> list[str]:
    light = [channel.mean - min(channel.darkest, channel.mean) for channel in channels]
    return [name for name, own in zip(named.names, light, strict=True) if 5 * own < max(light)]
