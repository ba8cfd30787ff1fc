"""What a spec means, and what is said when it is wrong."""

from pathlib import Path

import attrs
import pytest

from denoisplit.core.errors import SpecError
from denoisplit.core.registry.component import Component
from denoisplit.core.registry.registry import Registry
from denoisplit.core.spec import component_versions, parse_spec, read_spec, resolve
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from tests.spec.fakes import REGISTRY, SPEC, Images, Mixture, Nothing


def resolved(text: str, *overrides: str, registry: Registry = REGISTRY) -> ResolvedSpec:
    return resolve(parse_spec(text, overrides, name="spec.yaml"), registry)


def problems(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        resolved(text, *overrides)
    return caught.value.problems


def swapped(old: str, new: str) -> str:
    assert old in SPEC
    return SPEC.replace(old, new)


def test_a_spec_becomes_records_with_defaults(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    spec = resolve(read_spec(file), REGISTRY)
    assert spec.channels == ("mitochondria", "actin")
    assert spec.data.train.options == Images(path=tmp_path / "data/train")
    assert isinstance(spec.model.noise_model, Chosen)
    assert spec.model.noise_model.options == Mixture(components=2)
    assert (spec.training.steps, spec.training.learning_rate, spec.training.batch) == (100, 1e-4, 32)
    assert spec.prediction.samples == 50


def test_all_problems_are_reported_at_once_with_their_places() -> None:
    text = (
        swapped("free_bits: 0.5", "freebits: 0.5")
        .replace("levels: 3", "levels: 1, dropout: '0.1'")
        .replace("use: mixture", "use: mixtur")
        .replace("steps: 100", "steps: 0")
    )
    assert problems(text) == (
        "spec.yaml:5:34 $.model.encoder.levels: must be >= 2 (got 1)",
        "spec.yaml:5:46 $.model.encoder.dropout: expected a number (got '0.1')",
        (
            "spec.yaml:7:22 $.model.noise_model.use: noise_model mixtur: not installed. "
            "Did you mean mixture? Installed: gaussian, mixture."
        ),
        (
            "spec.yaml:10:5 $.model.kl_scheme.freebits: unknown key (allowed: free_bits, weight). "
            "Did you mean free_bits?"
        ),
        "spec.yaml:12:19 $.training.steps: must be >= 1 (got 0)",
    )


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("training.steps='10'", "$.training.steps: expected a whole number (got '10')"),
        ("training.steps=10.0", "$.training.steps: expected a whole number (got 10.0)"),
        ("training.steps=true", "$.training.steps: expected a whole number (got true)"),
        ("training.learning_rate=yes", "$.training.learning_rate: expected a number (got 'yes')"),
        ("training.learning_rate=true", "$.training.learning_rate: expected a number (got true)"),
        ("training.learning_rate=.nan", "$.training.learning_rate: expected a finite number (got nan)"),
        (
            f"training.learning_rate=1{'0' * 400}",
            "$.training.learning_rate: expected a number that a float can",
        ),
        ("training.augment=1", "$.training.augment: expected true or false (got 1)"),
        ("training.augment=no", "$.training.augment: expected true or false (got 'no')"),
        (
            "training.precision=float23",
            "$.training.precision: expected one of auto, float32, tf32, bf16 (got 'float23'). Did you mean",
        ),
        ("training=null", "$.training: expected a mapping (got null)"),
        ("training=[1]", "$.training: expected a mapping (got a list)"),
        (
            "training.channel_weights=1",
            "$.training.channel_weights: expected a list, each item a number (got 1)",
        ),
        ("training.channel_weights=[1, x]", "$.training.channel_weights[1]: expected a number (got 'x')"),
        (
            "training.channel_weights=[1]",
            "$.training.channel_weights: expected 2 entries, one per channel (got 1)",
        ),
        ("training.channel_weights=[-1, 2]", "$.training.channel_weights: must be 0 or more, and not all of"),
        ("training.channel_weights=[0, 0]", "$.training.channel_weights: must be 0 or more, and not all of"),
        (
            "data.mixing.alpha=[[-1, 1], [0, 1]]",
            "$.data.mixing.alpha: must be 0 or more, and not all of them 0",
        ),
        (
            "data.mixing.alpha=[[0, 0], [0, 0]]",
            "$.data.mixing.alpha: must be 0 or more, and not all of them 0",
        ),
        ("data.train.path=3", "$.data.train.path: expected a path (got 3)"),
        ("data.train.limit=0", "$.data.train.limit: must be >= 1 (got 0)"),
        ("data.train.limit=x", "$.data.train.limit: expected a whole number or null (got 'x')"),
        ("data.train.label=on=off", ""),
        ("data.train.label=1", "$.data.train.label: expected text (got 1)"),
        ("data.validation_fraction=1", "$.data.validation_fraction: must be < 1 (got 1.0)"),
        (
            "data.validation=folder",
            "$.data.validation: expected a component {use: NAME, ...} or null (got 'folder')",
        ),
        ("prediction.samples=100001", "$.prediction.samples: must be <= 100000 (got 100001)"),
        ("model.dimensions=4", "$.model.dimensions: must be in (2, 3) (got 4)"),
        ("model.encoder.width=[1, 2.5]", "$.model.encoder.width[1]: expected a whole number (got 2.5)"),
        ("model.encoder.width=0", "$.model.encoder.width: not an accepted value (got 0)"),
        ("model.encoder.use=3", "$.model.encoder.use: expected text (got 3)"),
        (
            "model.noise_model.mode=pixels",
            "$.model.noise_model.mode: expected one of pixel, global (got 'pixels')",
        ),
        ("model.noise_model.pair=[1]", "$.model.noise_model.pair: expected 2 values (got 1)"),
        ("model.noise_model.table={a: x}", "$.model.noise_model.table.a: expected a number (got 'x')"),
        ("calibrator.factor=2", "$.calibrator.factor: unknown key (it has no options)."),
        ("calibrator={use: bounded, low: 2}", "$.calibrator: must be above low (got 1.0). Raise it."),
        (
            "calibrator={use: bounded, low: 2, high: 1}",
            "$.calibrator.high: must be above low (got 1.0). Raise it.",
        ),
        ("calibrator={use: bounded, low: x, high: -1}", "$.calibrator.low: expected a number (got 'x')"),
        (
            "region_calibrator.use=scale",
            "$.region_calibrator: must be a calibrator of sums over regions (got scale, which calibrates pi",
        ),
        ("channels=[]", "$.channels: Length of 'channels' must be >= 1 (got 0)"),
        ("channels=[a, ' ']", "$.channels[1]: the name is empty (got ' '). Name the structure."),
        (
            "channels=[a, a]",
            "$.channels[1]: duplicate name (got 'a', first at --set channels=[a, a]). Rename one.",
        ),
        ("channels=[1, 2]", "$.channels[0]: expected text (got 1)"),
        (
            "spec_version=2",
            "$.spec_version: must be 1, the only version that this denoisplit reads (got 2). Write 1,",
        ),
        (
            "chanels=[a]",
            "$.chanels: unknown key (allowed: channels, data, model, calibrator, region_calibrator, training",
        ),
    ],
)
def test_a_wrong_value_is_refused(override: str, problem: str) -> None:
    if not problem:
        resolved(SPEC, override)
    else:
        shown = override if len(override) <= 100 else f"{override[:100]}..."
        named = f"$.{override.partition('=')[0]}: "  # said once: by the override
        told = f": {problem.removeprefix(named)}" if problem.startswith(named) else f" {problem}"
        assert problems(SPEC, override)[0].startswith(f"--set {shown}{told}")


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("steps=3", " Did you mean training.steps?"),
        ("seed=3", " Did you mean training.seed or prediction.seed?"),
        ("model.kl_scheme.weigt=3", " Did you mean weight?"),
        ("training.quux=3", ""),
    ],
)
def test_a_key_of_a_part_is_found_one_step_further_in(override: str, hint: str) -> None:
    """Only one step: there may be such keys anywhere."""
    (found,) = problems(SPEC, override)
    assert found.partition("unknown key (")[2].partition(").")[2] == hint


def test_integers_may_stand_for_floats_only() -> None:
    spec = resolved(SPEC, "training.learning_rate=1")
    assert (spec.training.learning_rate, type(spec.training.learning_rate)) == (1.0, float)


def test_missing_parts_are_named_where_they_belong() -> None:
    text = swapped("  train: {use: folder, path: data/train}\n", "  train: {use: folder}\n")
    text = text.replace("  decoder: {use: ladder}\n", "").replace("calibrator: {use: scale}\n", "")
    assert problems(text) == (
        "spec.yaml:1:1 $.calibrator: missing. Add it: a component {use: NAME, ...}.",
        "spec.yaml:3:3 $.data.train.path: missing. Add it: a path.",
        "spec.yaml:4:1 $.model.decoder: missing. Add it: a component {use: NAME, ...}.",
    )
    (problem,) = problems(SPEC.replace("{use: mixture, components: 2}", "{components: 2}"))
    assert (
        problem
        == "spec.yaml:7:16 $.model.noise_model: use is missing. Name a noise_model: gaussian, mixture."
    )


def test_one_noise_model_per_channel() -> None:
    spec = resolved(SPEC, "model.noise_model=[{use: mixture}, {use: gaussian}]")
    assert isinstance(spec.model.noise_model, tuple)
    assert [chosen.options for chosen in spec.model.noise_model] == [Mixture(), Nothing()]
    (problem,) = problems(SPEC, "model.noise_model=[{use: mixture}]")
    assert "model.noise_model=[{use: mixture}]: expected 2 entries, one per channel (got 1)." in problem
    (problem,) = problems(SPEC, "model.noise_model=[{use: mixture}, {use: mixture, component: 1}]")
    assert "$.model.noise_model[1].component: unknown key" in problem


@pytest.mark.parametrize(
    ("written", "meant"),
    [("~/img", "home/img"), ("~", "home"), ("./~/img", "spec/~/img"), ("a/~", "spec/a/~")],
)
def test_a_tilde_at_the_beginning_of_a_path_is_a_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, meant: str
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    tree = parse_spec(SPEC, [f"data.train.path={written!r}"], folder=tmp_path / "spec")
    assert resolve(tree, REGISTRY).data.train.options.path == tmp_path / meant


def test_the_home_of_nobody_is_refused() -> None:
    (problem,) = problems(SPEC, "data.train.path=~nobody-here/img")
    assert (
        "path=~nobody-here/img: no home folder is known for ~nobody-here (got '~nobody-here/img')" in problem
    )


def test_environment_variables_are_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IMAGES", str(tmp_path))
    monkeypatch.delenv("MISSING_ONE", raising=False)
    text = swapped("path: data/train", "path: '${IMAGES}/train', label: '$${IMAGES} $1 {a}'")
    assert resolved(text).data.train.options == Images(path=tmp_path / "train", label="${IMAGES} $1 {a}")
    (problem,) = problems(swapped("path: data/train", "path: '${MISSING_ONE}/train'"))
    assert problem.startswith(
        "spec.yaml:3:30 $.data.train.path: environment variable MISSING_ONE is not set."
    )


def test_paths_are_relative_to_the_spec_wherever_they_are(tmp_path: Path) -> None:
    text = swapped("path: data/train", f"path: {tmp_path}/a, extra: [b, ../c]")
    options = resolve(parse_spec(text, folder=tmp_path / "specs"), REGISTRY).data.train.options
    assert options == Images(path=tmp_path / "a", extra=(tmp_path / "specs/b", tmp_path / "specs/../c"))


def test_a_component_that_cannot_be_imported_is_one_problem_among_others() -> None:
    gone = Component(
        kind="calibrator", name="gone", target="no_such:Thing", package="lab", version="3", summary="Gone."
    )
    registry = Registry([*REGISTRY.components(), gone])
    with pytest.raises(SpecError) as caught:
        resolved(SPEC, "calibrator.use=gone", "training.steps=0", registry=registry)
    first, second = caught.value.problems
    assert "calibrator.use=gone: calibrator lab/gone: no_such:Thing cannot be imported" in first
    assert "training.steps=0: " in second


def test_an_error_that_only_the_whole_options_have_is_located() -> None:
    @attrs.frozen(kw_only=True)
    class Sum:
        a: float = 0
        b: float = 0

        def __attrs_post_init__(self) -> None:
            if self.a + self.b > 1:
                raise ValueError("a and b add up to more than 1")

    part = Component(
        kind="calibrator",
        name="sum",
        target=type("Sum", (REGISTRY.find("calibrator", "scale").load(),), {"Options": Sum}),
        package="lab",
        version="3",
        summary="Sum.",
    )
    with pytest.raises(SpecError, match=r"calibrator=\{use: sum, a: 1, b: 1\}: a and b add up to more"):
        resolved(SPEC, "calibrator={use: sum, a: 1, b: 1}", registry=Registry([*REGISTRY.components(), part]))


def test_the_versions_of_all_components_are_listed() -> None:
    spec = resolved(SPEC, "model.noise_model=[{use: mixture}, {use: mixture}]")
    assert component_versions(spec) == (
        ("dataset", "lab/folder", "1.2"),
        ("encoder", "lab/ladder", "1.2"),
        ("decoder", "lab/ladder", "1.2"),
        ("noise_model", "lab/mixture", "1.2"),
        ("kl_scheme", "lab/denoisplit", "1.2"),
        ("calibrator", "lab/scale", "1.2"),
    )


def test_a_single_problem_is_given_as_a_text() -> None:
    problem = "model.encoder: planes only. Use 2."
    assert SpecError(problem).problems == SpecError([problem]).problems == (problem,)
    assert str(SpecError(problem)) == problem
