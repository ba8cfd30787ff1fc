"""Choices that depend on what is installed, and on what was found."""

import json
from pathlib import Path, PurePosixPath

import attrs
import pytest
import yaml

from denoisplit.core.errors import ImageError
from denoisplit.core.storage.shipped_models import find_model, folder_of
from denoisplit.core.survey.arranging import arrange
from denoisplit.core.survey.dataset_plans import Abilities
from denoisplit.core.survey.deciding import decide
from denoisplit.core.survey.findings import ChannelFacts, Facts, Found, FoundImage, Machine
from denoisplit.core.survey.proposal import Plan
from denoisplit.core.survey.spec_text import spec_text

FEW = Abilities(datasets=frozenset({"folder"}), split_rules=frozenset({"random"}))
ALL = Abilities(
    datasets=frozenset({"folder", "channel_files", "separate_channels"}),
    split_rules=frozenset({"random", "regions"}),
)
MACHINE = Machine(memory=2**33)
BRIGHT = ChannelFacts(offset=100.0, darkest=104.0, mean=300.0, saturated=0.0, finest=0.2)


def planned(
    *names: str,
    channels: int = 2,
    side: int = 256,
    abilities: Abilities = ALL,
    facts: Facts | None = None,
    machine: Machine = MACHINE,
) -> Plan:
    axes, shape = ("cyx", (channels, side, side)) if channels > 1 else ("yx", (side, side))
    images = tuple(
        FoundImage(path=PurePosixPath(name), axes=axes, shape=shape, dtype="uint16") for name in names
    )
    found = Found(folder=Path("data"), images=images)
    arrangement = arrange(found)
    count = len(arrangement.train.structures) or channels
    facts = facts or Facts(channels=(BRIGHT,) * count)
    return decide(found, arrangement, facts, machine, abilities)


@pytest.mark.parametrize("side", [32, 64, 200, 256, 512, 2048])
def test_a_single_field_is_cut_so_that_a_patch_fits_its_training_part(side: int) -> None:
    plan = planned("a.tif", side=side)
    held = plan.held
    assert held is not None
    assert held.regions
    assert side - round(held.fraction * side) - held.gap >= plan.size.patch
    assert held.gap >= plan.size.patch


def test_images_much_smaller_than_the_others_are_named() -> None:
    sides = {"a.tif": 256, "a_thumb.tif": 32, "b.tif": 250}
    images = tuple(
        FoundImage(path=PurePosixPath(name), axes="cyx", shape=(2, side, side), dtype="uint16")
        for name, side in sides.items()
    )
    found = Found(folder=Path("data"), images=images)
    plan = decide(found, arrange(found), Facts(channels=(BRIGHT, BRIGHT)), MACHINE, ALL)
    assert plan.size.patch == 32
    (remark,) = (remark for remark in plan.remarks if "patches have only" in remark)
    assert remark.startswith("a_thumb.tif: smaller than the others (move them away if they are thumbnails)")


def test_a_single_field_is_too_little_where_it_cannot_be_cut() -> None:
    with pytest.raises(ImageError, match="one field of view is too little"):
        planned("a.tif", abilities=FEW)


def test_structures_in_files_of_their_own_need_a_data_set_that_joins_them() -> None:
    same = ("er/1.tif", "er/2.tif", "actin/1.tif", "actin/2.tif")
    other = ("er/1.tif", "er/2.tif", "actin/3.tif", "actin/4.tif")
    assert planned(*same, channels=1).datasets[0].use == "channel_files"
    separate = planned(*other, channels=1)
    assert separate.datasets[0].use == "separate_channels"
    assert separate.channels == ("actin", "er")
    assert dict(separate.datasets[0].options)["observed"] == ["actin/*.tif", "er/*.tif"]
    seen = Facts(channels=(BRIGHT, BRIGHT), same_fields=False)
    apart = planned(*same, channels=1, facts=seen)
    assert apart.datasets[0].use == "separate_channels"
    assert "cells do not coincide" in apart.questions[0]
    assert len(planned(*same, channels=1, facts=attrs.evolve(seen, same_fields=True)).questions) == 1
    with pytest.raises(ImageError, match="needed: separate_channels"):
        planned(*other, channels=1, abilities=FEW)


def test_the_structure_with_the_fewest_images_counts_the_fields() -> None:
    plan = planned("er/1.tif", "er/2.tif", *(f"actin/x{n}.tif" for n in range(30)), channels=1)
    assert any("2 fields to learn from" in remark for remark in plan.remarks)


def test_a_folder_to_validate_with_serves_for_the_scores_where_there_is_plenty() -> None:
    few = planned(*(f"train/{n}.tif" for n in range(9)), "val/a.tif")
    plenty = planned(*(f"train/{n}.tif" for n in range(10)), "val/a.tif")
    assert [plan.key for plan in few.datasets] == ["train", "validation"]
    assert few.held is None
    assert [plan.key for plan in plenty.datasets] == ["train", "test"]
    assert plenty.held is not None


def test_a_channel_that_is_outshone_is_remarked() -> None:
    dim = attrs.evolve(BRIGHT, mean=110.0)
    plan = planned("1.tif", "2.tif", facts=Facts(channels=(BRIGHT, dim)))
    assert any(remark.startswith("structure_2: more than five times dimmer") for remark in plan.remarks)


def test_paths_with_odd_letters_mean_what_they_say() -> None:
    plan = planned("a: #1_noisy.tif", "a: #2_noisy.tif")
    text = spec_text(plan, Path("my spec.yaml"))
    assert "train 'my spec.yaml' --out 'runs/my spec'" in text
    assert "path: data\n" in text


def test_a_training_starts_from_the_network_that_comes_along_where_all_of_it_fits() -> None:
    def text(finest: float, channels: int = 2, machine: Machine = MACHINE) -> str:
        facts = Facts(channels=(attrs.evolve(BRIGHT, finest=finest),) * channels)
        names = ("1.tif", "2.tif", "3.tif")
        plan = planned(*names, channels=channels, side=512, facts=facts, machine=machine)
        return spec_text(plan, Path("new.yaml"))

    line = "\n  start_from: model:lines-blobs"
    model = yaml.safe_load(text(0.2))["model"]
    folder = folder_of(find_model("lines-blobs", "here"))
    trained = json.loads((folder.path / "model.json").read_text("utf-8"))["spec"]["model"]
    assert line in text(0.2)
    for part, option in (("encoder", "levels"), ("encoder", "width"), ("decoder", "latent_channels")):
        assert model[part][option] == trained[part][option]
    wider = text(0.2, machine=Machine(memory=2**36, gpu="some"))
    assert yaml.safe_load(wider)["model"]["encoder"]["width"] == 2 * trained["encoder"]["width"]
    assert line in wider
    narrower = text(0.2, machine=Machine(memory=2**25))
    assert yaml.safe_load(narrower)["model"]["encoder"]["width"] < trained["encoder"]["width"]
    assert line not in narrower
    assert line not in text(0.5)  # three levels without binning
    assert line not in text(0.2, channels=1)  # another preset
