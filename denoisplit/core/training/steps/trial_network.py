"""A small stand-in for a network, on which optimisers are tried before a training."""

from torch import nn


class TrialNetwork(nn.Module):
    """The parts of a network with a few weights each: kernels, vectors, and numbers of a noise model."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))
        self.decoder = nn.Conv2d(3, 2, 3)
        self.noise_model = nn.Linear(2, 2, bias=False)
        self.kl_scheme = nn.Linear(1, 1, bias=False)
        for weight in self.parameters():
            nn.init.ones_(weight)
