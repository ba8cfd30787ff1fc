"""Write the reference numbers: python -m tools.golden [FOLDER]."""

from collections.abc import Iterator
from decimal import localcontext
from pathlib import Path
from typing import Final

import click

from tools.golden.exact import DIGITS
from tools.golden.files import GoldenNumbers, write_all
from tools.golden.likelihoods import gaussian, mixture
from tools.golden.rates import annealing, distributions, reductions, variances

FOLDER: Final = Path(__file__).parents[2] / "tests" / "golden" / "numbers"


def all_numbers() -> Iterator[GoldenNumbers]:
    """Yield the numbers of every file."""
    with localcontext() as context:
        context.prec = DIGITS
        yield from (variances(), reductions(), distributions(), annealing(), gaussian(), *mixture())


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=FOLDER)
def main(folder: Path) -> None:
    """Compute all numbers with 40 digits and write them below FOLDER."""
    write_all(all_numbers(), folder)


if __name__ == "__main__":
    main()
