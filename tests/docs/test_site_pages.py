"""Pages that are written when the site is built."""

from pathlib import Path

import click
import pytest

import denoisplit
from denoisplit.cli import main
from tools.site import commands_page, python_page
from tools.site.docstrings import as_markdown
from tools.site.links import elsewhere, with_links
from tools.site.maths import with_formulas

ROOT = Path(denoisplit.__file__).parents[1]


def test_a_docstring_becomes_paragraphs_formulas_and_lists() -> None:
    docstring = """Sum of ``a`` and `b`.

    .. math:: a + b

    As in :meth:`sum`.

    Example::

        add(1, 2)

    Args:
        a, b: numbers,
            any.
        *rest: further ones.

    Returns:
        their
        sum.
    Source: school.
    """
    assert as_markdown(docstring) == (
        "Sum of `a` and `b`.\n\n$$\na + b\n$$\n\nAs in `sum`.\n\n**Example**\n\n```python\nadd(1, 2)\n```\n\n"
        "**Arguments**\n\n`a, b`\n:   numbers, any.\n\n`*rest`\n:   further ones.\n\n"
        "**Returns** their sum.\n\nSource: school."
    )


def test_every_public_name_is_on_the_page_of_the_python_api() -> None:
    named = {name for names in python_page.CHAPTERS.values() for name in names}
    assert named == {*denoisplit.__all__} - {"__version__", "errors", "DenoisplitError"}
    page = python_page.page()
    assert "denoisplit.load(path, *, device='auto')" in page
    assert "#### Run.predict_file\n" in page  # of a base of Run
    assert all(f"`{name}`\n:   " in page for name in ("DenoisplitError", "SpecError", "NonFiniteLossError"))


def options(command: click.Command) -> list[tuple[str, str]]:
    """Names and help of the options of a command and those below it, but for hidden ones."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        below = (command.get_command(context, name) for name in command.list_commands(context))
        return [one for inner in below if inner for one in options(inner)]
    found = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return [(max(one.opts, key=len), one.help or "") for one in found]


def test_every_option_of_every_command_is_on_the_page_of_the_command_line() -> None:
    page = commands_page.page()
    assert len(options(main)) > 50
    for name, meaning in options(main):
        assert f"`{name}" in page
        assert meaning.split()[0].strip("*_") in page
    assert "\n### plugins new\n" in page
    assert "```text\nExample:\n  denoisplit train mine.yaml --out runs/first\n```" in page


def test_signs_of_markdown_in_the_help_are_only_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    command = main.get_command(click.Context(main), "schema")
    monkeypatch.setattr(command, "help", "Of *all* <runs> with $ and a_b_c.\n\nNext.")
    assert "\nOf \\*all\\* \\<runs\\> with \\$ and a\\_b\\_c.\n\nNext.\n" in commands_page.page()


@pytest.mark.parametrize(
    ("page", "link", "turned"),
    [
        ("a.md", "../benchmarks/w2s.md#time", "repository/benchmarks/w2s.md#time"),
        ("decisions/0001-layers.md", "../method.md", "../method.md"),
        ("index.md", "decisions", "decisions/index.md"),
        (
            "how-to/a.md",
            "../../examples/denoisplit-emccd",
            "../repository/examples/denoisplit-emccd/README.md",
        ),
        ("repository/benchmarks/w2s.md", "../docs/benchmarks.md", "../../benchmarks.md"),
        ("repository/CONTRIBUTING.md", "LICENSE", "LICENSE"),
        ("a.md", "https://x.org/a.md", "https://x.org/a.md"),
        ("a.md", "nowhere.md", "nowhere.md"),
    ],
)
def test_links_lead_where_the_site_has_their_targets(page: str, link: str, turned: str) -> None:
    assert with_links(f"See [it]({link}).", page, ROOT) == f"See [it]({turned})."
    found = list(elsewhere(f"See [it]({link}).", page, ROOT))
    assert bool(found) == ("repository" in turned or turned == "LICENSE")


def test_formulas_become_mathml() -> None:
    inline = with_formulas(r'<p>Of <span class="arithmatex">\(a &lt; \sigma_c\)</span></p>')
    assert "<math" in inline
    assert "<msub><mi>&#x003C3;</mi>" in inline
    assert "arithmatex" not in inline
    block = with_formulas('<div class="arithmatex">\\[\n\\frac{1}{N}\n\\]</div>')
    assert 'display="block"' in block
    assert "<mfrac>" in block
    function = with_formulas(r'<span class="arithmatex">\(\ln x\)</span>')
    assert 'rspace="0.17em">ln</mo><mi>x</mi>' in function
