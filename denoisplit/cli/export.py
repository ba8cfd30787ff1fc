"""``denoisplit export``: a trained network as a file of other programs."""

from pathlib import Path

import click

from denoisplit.cli.console import plugin_option, say
from denoisplit.cli.paths import PATH


@click.command()
@click.argument("run", type=PATH)
@click.option(
    "--format",
    "file_format",
    required=True,
    type=click.Choice(["bioimageio", "onnx", "torch"]),
    help="bioimageio: package for bioimage.io (.zip); onnx (.onnx); torch: program of torch.export (.pt2).",
)
@click.option("--out", required=True, type=PATH, help="File to write.")
@click.option(
    "--license", "spdx", default="", metavar="SPDX", help="Licence for bioimageio, such as CC-BY-4.0."
)
@click.option("--author", "authors", multiple=True, metavar="NAME", help="Author for bioimageio; repeatable.")
@click.option("--title", default="", help="Title for bioimageio; made of the channels by default.")
@click.option("--description", default="", help="A sentence for bioimageio; made of the channels by default.")
@click.option(
    "--image",
    type=PATH,
    help="Mixed image for bioimageio that shows the network, and will be public; simulated by default.",
)
@plugin_option
def export(
    run: Path,
    file_format: str,
    out: Path,
    spdx: str,
    authors: tuple[str, ...],
    title: str,
    description: str,
    image: Path | None,
) -> None:
    """Write the network of RUN to a file that other programs run without denoisplit.

    Its inputs are the mixed image, in the counts of its file, and latent noise: zeros for one answer,
    standard normal numbers for one of many. The file is compared with the network before it appears.
    """
    from denoisplit import api

    found = api.load(run, device="cpu").export(
        out,
        file_format,
        title=title,
        description=description,
        license=spdx,
        authors=authors,
        image=image,
    )
    ports = found.ports
    least, step = (" x ".join(map(str, sides)) for sides in (ports.least, ports.step))
    seen = "more than 16 steps" if ports.halo is None else f"{' x '.join(map(str, ports.halo))} pixels"
    click.echo(f"Exported: {found.path}")
    say(f"Inputs:   {', '.join(ports.inputs)}", hanging=10)
    say(f"Outputs:  {', '.join(ports.outputs)} of {', '.join(ports.channels)}", hanging=10)
    say(f"Sizes:    at least {least} pixels ({', '.join(ports.axes)}), in steps of {step}", hanging=10)
    say(f"Sees:     {seen} on each side of a tile", hanging=10)
    differs = f"differs from the run by at most {found.agreement.signal:.1g} standard deviations of a channel"
    say(f"Compared: {differs}", hanging=10)
