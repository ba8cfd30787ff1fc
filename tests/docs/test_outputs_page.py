"""What a prediction can give is one table: page, command line and docstrings say what it says."""

import inspect
import re

from denoisplit.cli.predict import predict
from denoisplit.core.prediction.outputs.offers import OFFERS, Offer
from denoisplit.core.prediction.outputs.output_words import parse_outputs
from denoisplit.core.runs.run import Run
from tests.docs.test_pages import DOCS

ASKED = [offer.asked for offer in OFFERS]


def rendered(offer: Offer) -> str:
    images = ", ".join(f"`{name}`" if name != "..." else name for name in offer.images.split(", "))
    return f"| `{offer.asked}` | {images} | {offer.says} | {offer.samples} |"


def test_the_page_has_the_table() -> None:
    lines = (DOCS / "outputs.md").read_text(encoding="utf-8").splitlines()
    start = lines.index("| `--output` | images | meaning | samples |")
    assert lines[start + 2 : start + 2 + len(OFFERS)] == [rendered(offer) for offer in OFFERS]
    assert lines[start + 2 + len(OFFERS)] == ""


def test_the_command_line_and_the_docstring_name_every_image_in_its_order() -> None:
    (option,) = (one for one in predict.params if one.name == "output")
    help_text = str(option.to_info_dict()["help"]).partition(":")[2].partition(".")[0]
    assert [word.strip() for word in help_text.split(",")] == ASKED
    doc = inspect.getdoc(Run.predict) or ""
    (described,) = re.findall(r"output: images to return: (.*?);", doc, re.DOTALL)
    assert re.findall(r"``(.*?)``", described) == ASKED


def test_the_column_of_samples_is_what_an_image_needs() -> None:
    needed = {"1": 1, "2": 2, "1/LEVEL - 1": 9, "2/(1-LEVEL) - 1": 2}
    for offer in OFFERS:
        (output,) = parse_outputs(offer.asked.replace("LEVEL", "0.1"))
        assert output.least == needed[offer.samples]
    (wide,) = parse_outputs("interval=0.9")
    assert wide.least == 19
