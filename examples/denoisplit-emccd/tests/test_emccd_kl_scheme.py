import torch
from denoisplit.core.network.latent import Level
from denoisplit.core.registry import installed_registry
from denoisplit.testing import KLSchemeTests
from torch.distributions import Normal, kl_divergence

from denoisplit_emccd.kl_scheme import GeometricKL


class TestGeometricKL(KLSchemeTests):
    component = GeometricKL


def levels(count: int) -> tuple[Level, ...]:
    made = []
    for index in range(count):
        generator = torch.Generator().manual_seed(index)
        mean, std, draw = torch.randn(3, 2, 4, 2**index, 2**index, generator=generator, dtype=torch.float64)
        posterior = Normal(mean, std.exp())
        made.append(Level(posterior, Normal(0 * mean, torch.ones_like(mean)), mean + std.exp() * draw))
    return tuple(made)


def test_every_level_weighs_the_ratio_of_the_next_finer_one() -> None:
    given = levels(3)
    scheme = GeometricKL(GeometricKL.Options(ratio=0.25, analytic=True))
    found = scheme(given, image_pixels=64, channels=2).per_level
    for index, weight in enumerate((1.0, 0.25, 0.0625)):
        nats = kl_divergence(given[index].posterior, given[index].prior).sum((1, 2, 3)).mean()
        torch.testing.assert_close(found[index], weight * nats / (64 * 2))


def test_a_ratio_of_one_is_the_evidence_lower_bound() -> None:
    given = levels(3)
    elbo = installed_registry().find("kl_scheme", "elbo").load()
    expected = elbo(elbo.Options())(given, image_pixels=64, channels=2)
    found = GeometricKL(GeometricKL.Options(ratio=1.0))(given, image_pixels=64, channels=2)
    torch.testing.assert_close(found.per_level, expected.per_level)
