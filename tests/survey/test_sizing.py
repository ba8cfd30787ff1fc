import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.errors import ImageError
from denoisplit.core.survey.findings import ChannelFacts, Facts, Machine
from denoisplit.core.survey.sizing import choose_size

PLENTY = Machine(memory=2**34)


def facts(finest: float) -> Facts:
    one = ChannelFacts(offset=100.0, darkest=100.0, mean=200.0, saturated=0.0, finest=finest)
    return Facts(channels=(one,))


@pytest.mark.parametrize(("finest", "binning"), [(0.09, 4), (0.125, 4), (0.2, 2), (0.26, 1), (0.5, 1)])
def test_binned_pixels_still_sample_the_finest_detail(finest: float, binning: int) -> None:
    """Nyquist: after binning by b, frequencies up to 0.5 / b remain."""
    assert choose_size(1024, facts(finest), PLENTY).binning == binning


@settings(max_examples=60)
@given(side=st.integers(16, 4000), finest=st.floats(0.01, 0.5), memory=st.integers(2**22, 2**36))
def test_a_patch_fits_the_image_and_the_network(side: int, finest: float, memory: int) -> None:
    size = choose_size(side, facts(finest), Machine(memory=memory))
    stride = size.binning * 2**size.levels
    assert 2 * stride <= size.patch <= side
    assert size.patch % stride == 0
    assert size.memory <= memory or (size.batch == 1 and size.width <= 8)


def test_more_memory_never_makes_it_smaller() -> None:
    sizes = [choose_size(512, facts(0.5), Machine(memory=2**power)) for power in range(22, 36)]
    batches = [size.batch for size in sizes]
    assert batches == sorted(batches)
    assert batches[0] == 1
    assert batches[-1] == 8


def test_a_gpu_gets_a_larger_network() -> None:
    assert choose_size(512, facts(0.5), Machine(memory=2**36, gpu="some")).width == 64


def test_an_image_too_small_for_any_network_is_refused() -> None:
    with pytest.raises(ImageError, match="got a side of 7 pixels, 8 are needed"):
        choose_size(7, facts(0.5), PLENTY)
