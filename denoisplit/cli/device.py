"""The option that says where the network runs."""

import click

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda",
    help="Where the network runs; auto takes a GPU if there is one.",
)
