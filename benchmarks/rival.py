"""Training steps of the ladder VAE of CAREamics, in a process and an environment of its own.

Started by `benchmarks.rival_process`; needs nothing of this project. Reads and answers one JSON object per
line. A step is what the Lightning module of CAREamics 0.2.0 does: forward pass, its loss `denoisplit`,
backward pass, optimiser, in float32.
"""

import importlib
import json
import os
import sys
import time
from typing import Any


class Rival:
    """The network of CAREamics, its likelihood and one batch."""

    def __init__(self, asked: dict[str, Any]) -> None:
        # torchmetrics needs all of torchvision if it finds any of it, so it must not find the stub.
        importlib.import_module("pytorch_lightning")
        sys.path.append(asked["stubs"])
        np, torch = importlib.import_module("numpy"), importlib.import_module("torch")
        lvae = importlib.import_module("careamics.models.lvae")
        noise = importlib.import_module("careamics.models.lvae.noise_models")
        likelihoods = importlib.import_module("careamics.models.lvae.likelihoods")
        config = importlib.import_module("careamics.config")
        self._loss = importlib.import_module("careamics.losses").denoisplit_loss
        self._clock = time.process_time if asked["clock"] == "processor" else time.perf_counter
        torch.manual_seed(0)
        torch.set_num_threads(asked["threads"])
        self.model = lvae.LadderVAE(
            input_shape=(asked["patch"],) * 2,
            output_channels=len(asked["noise"]),
            multiscale_count=1,
            z_dims=[asked["latent"]] * asked["levels"],
            encoder_n_filters=asked["width"],
            decoder_n_filters=asked["width"],
            encoder_conv_strides=[2, 2],
            decoder_conv_strides=[2, 2],
            encoder_dropout=0.1,
            decoder_dropout=0.1,
            nonlinearity="ELU",
            predict_logvar=None,
            analytical_kl=False,
        )
        mixtures = [
            noise.GaussianMixtureNoiseModel(config.GaussianMixtureNMConfig(path=path))
            for path in asked["noise"]
        ]
        self._likelihood = likelihoods.NoiseModelLikelihood(noise.MultiChannelNoiseModel(mixtures))
        self._likelihood.set_data_stats(
            np.reshape(asked["target_mean"], (1, -1, 1, 1)), np.reshape(asked["target_std"], (1, -1, 1, 1))
        )
        self._config = config.LVAELossConfig(loss_type="denoisplit")
        self._optimizer = torch.optim.Adamax(self.model.parameters(), lr=1e-3)
        with np.load(asked["batch"]) as file:
            self._mixed, self._targets = (torch.from_numpy(file[key]) for key in ("mixed", "targets"))
        self.model.train()

    def parameters(self) -> int:
        """Return the number of trainable parameters of the network."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def step(self) -> dict[str, float]:
        """Take one training step, and return seconds and loss."""
        start = self._clock()
        self._optimizer.zero_grad()
        found = self._loss(
            model_outputs=self.model(self._mixed),
            targets=self._targets,
            config=self._config,
            gaussian_likelihood=None,
            noise_model_likelihood=self._likelihood,
        )
        found["loss"].backward()
        self._optimizer.step()
        return {"seconds": self._clock() - start, "loss": float(found["loss"].detach())}


def serve() -> None:
    """Answer until the input ends. As CAREamics prints, answers have a stream of their own."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        rival: Rival | None = None
        for line in sys.stdin:
            asked = json.loads(line)
            if asked["do"] == "prepare":
                rival = Rival(asked)
                answer: dict[str, Any] = {"parameters": rival.parameters()}
            elif rival is None:
                raise RuntimeError("a step before the network was prepared")
            else:
                answer = rival.step()
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    serve()
