"""The option for the device that the network runs on."""

import click

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda|mps",
    help="Where the network runs; auto takes a CUDA GPU if there is one.",
)


def device_words(device: str) -> tuple[str, ...]:
    """Return the option as words of the command line, if it was given."""
    return () if device == "auto" else ("--device", device)
