"""What the public strategies give is what they promise."""

from pathlib import Path
from typing import Literal

import attrs
import pytest
from attrs.validators import and_, deep_iterable, ge, gt, in_, le, lt, min_len, optional, or_
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from denoisplit.core.images.bases import Image
from denoisplit.core.network.latent import Level, divergence
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import parse_spec, resolve, to_yaml
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.spec.rules import OneOf, parts, rule
from denoisplit.core.validators import described_by
from denoisplit.testing import strategies
from denoisplit.testing.option_values import Range, range_of


def odd(_instance: object, _attribute: object, value: int) -> None:
    if value % 2 == 0:
        raise ValueError("must be odd")


@described_by(or_(ge(0), and_(min_len(1), deep_iterable(ge(0)))))
def not_negative(_instance: object, _attribute: object, value: float | tuple[float, ...]) -> None:
    if min(value if isinstance(value, tuple) else (value,)) < 0:
        raise ValueError("must be >= 0")


@attrs.frozen(kw_only=True)
class Inner:
    share: float = attrs.field(default=0.5, validator=[ge(0), le(1)])


@attrs.frozen(kw_only=True)
class Options:
    levels: int = attrs.field(default=4, validator=ge(1))
    width: int = attrs.field(default=99, validator=[ge(3), lt(5), odd])
    dropout: float = attrs.field(default=0.1, validator=[ge(0), lt(1)])
    gain: float | None = attrs.field(default=None, validator=optional(gt(0)))
    photons: float = attrs.field(default=30.0, validator=gt(0))
    mode: Literal["a", "b"] = "a"
    kind: str = attrs.field(default="x", validator=in_(("x", "y")))
    path: Path
    count: int
    free: float = 7.5
    inner: Inner = attrs.field(factory=Inner)
    names: tuple[str, ...] = ()
    floor: float | None = -5.0
    weights: float | tuple[float, ...] = attrs.field(default=1.0, validator=not_negative)
    strides: tuple[tuple[int, ...], ...] = attrs.field(
        default=(), validator=deep_iterable(deep_iterable(ge(1)))
    )


@settings(max_examples=60)
@given(strategies.options(Options))
def test_options_keep_to_validators_types_and_defaults(made: Options) -> None:
    assert 1 <= made.levels <= 3
    assert made.width == 3
    assert 0 <= made.dropout < 1
    assert made.gain is None or 0 < made.gain <= 4
    assert 0 < made.photons <= 120
    assert made.mode in ("a", "b")
    assert made.kind in ("x", "y")
    assert made.path.is_absolute()
    assert made.count >= 1
    assert 7.5 / 2 < made.free <= 1.5 * 7.5
    assert 0 <= made.inner.share <= 1
    assert made.names == ()
    assert made.floor is None or -7.5 < made.floor <= -2.5
    assert len({len(level) for level in made.strides}) <= 1
    assert all(stride >= 1 for level in made.strides for stride in level)


def test_every_option_that_is_no_name_of_something_takes_several_values() -> None:
    stuck = {"path", "names"}
    seen: dict[str, set[str]] = {}

    @settings(max_examples=100, derandomize=True, database=None)
    @given(strategies.options(Options))
    def draw(made: Options) -> None:
        for name, value in attrs.asdict(made, recurse=False).items():
            seen.setdefault(name, set()).add(repr(value))

    draw()
    assert {name for name, values in seen.items() if len(values) == 1} == stuck | {"width"}
    assert any("(" in value for value in seen["weights"])
    assert any("(" not in value for value in seen["weights"])


def test_bounds_are_read_through_lists_and_optional_values() -> None:
    fields = attrs.fields_dict(Options)

    def read(name: str) -> Range:
        return range_of(parts(rule(fields[name].validator)))

    assert read("dropout") == Range(low=0, high=1, below=True)
    assert read("gain") == Range(low=0, above=True)
    assert rule(fields["kind"].validator) == OneOf(("x", "y"))


@given(strategies.options(Options, count=st.just(5), path=Path("there")))
@settings(max_examples=5)
def test_given_values_and_strategies_win(made: Options) -> None:
    assert made.count == 5
    assert made.path == Path("there")


def test_what_cannot_be_derived_is_asked_for() -> None:
    @attrs.frozen
    class Opaque:
        table: dict[str, int]

    with pytest.raises(
        TypeError, match=r"no value can be derived for the field table .*options\(Options, table"
    ):
        strategies.options(Opaque).validate()
    with pytest.raises(TypeError, match="has no field tabel"):
        strategies.options(Opaque, tabel=1)
    with pytest.raises(TypeError, match="expected an attrs class"):
        strategies.options(dict)


@settings(max_examples=20, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(strategies.specs())
def test_whole_specs_survive_writing_and_resolving(spec: ResolvedSpec) -> None:
    assert resolve(parse_spec(to_yaml(spec)), installed_registry()) == spec


@pytest.mark.parametrize("rank", [2, 3])
def test_levels_are_a_hierarchy_with_divergences(rank: int) -> None:
    @settings(max_examples=10)
    @given(strategies.levels(rank, batch=2))
    def check(drawn: tuple[Level, ...]) -> None:
        sides = [level.sample.shape[2:] for level in drawn]
        assert sides == [(strategies.image_side(rank) // 2 ** (i + 1),) * rank for i in range(len(drawn))]
        assert all(bool((divergence(level, analytic=True) >= 0).all()) for level in drawn)

    check()


@pytest.mark.parametrize("rank", [2, 3])
def test_images_have_a_name_per_channel_and_a_size_per_axis(rank: int) -> None:
    @settings(max_examples=20)
    @given(strategies.images(rank))
    def check(image: Image) -> None:
        assert image.data.ndim == len(image.axes)
        channels = image.data.shape[image.axes.index("c")] if "c" in image.axes else 1
        assert len(image.channel_names) in (0, channels)
        assert image.pixel_size is None or len(image.pixel_size.size) == rank

    check()
