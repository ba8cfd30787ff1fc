"""One bad component stops nothing that does not use it, and is told in one line. Real distributions."""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from denoisplit.core.errors import BrokenPluginError, ImageError
from denoisplit.core.images.image import Image
from denoisplit.core.registry.registry import Registry, installed_registry, load_registry
from denoisplit.core.spec.json_schema import spec_schema
from denoisplit.core.storage.image_files import installed_formats, open_given, save_image
from tests.cli.refusals import run as command
from tests.distributions import Install, installer

FORMAT = """
import attrs
from denoisplit.core.images.bases import ImageFormat

class Mine(ImageFormat):
    suffixes = (".abc",)

    @attrs.frozen
    class Options:
        pass

    def __init__(self, options):
        self.options = options

    def open(self, path, *, axes=None):
        raise NotImplementedError(path)

    def write(self, path, image):
        path.write_text("{package}")
"""
NOISE_MODEL = """
import math
import attrs
from denoisplit.core.network.interfaces import NoiseModel

class Mine(NoiseModel):
    @attrs.frozen
    class Options:
        width: int = 8
    needs_fit = False
    extra_maps = 0

    def __init__(self, options, *, statistics):
        super().__init__()
    def log_prob(self, observation, signal, extra=None): ...
    def sample(self, signal, generator, extra=None): ...
    def variance(self, signal, extra=None): ...
    def fit(self, pairs, *, seed): ...
"""
PASS, WIDTH = "        pass\n", "        width: int = 8\n"
SUFFIXES = '    suffixes = (".abc",)\n'


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    installed_registry.cache_clear()
    yield installer(tmp_path / "site", monkeypatch)
    installed_registry.cache_clear()


def add(install: Install, package: str, code: str, kind: str = "image_format") -> None:
    row = {"kind": kind, "name": "mine", "target": f"{package}.parts:Mine", "summary": "A mistake."}
    folder = install(package)
    (folder / "registry.yaml").write_text(json.dumps([row]))
    (folder / "parts.py").write_text(code.replace("{package}", package))
    sys.modules.pop(f"{package}.parts", None)


def add_all(install: Install, kind: str, code: str, cases: Mapping[str, tuple[str, ...]]) -> None:
    """A package of one component for every case: a change of the code."""
    folder = install("lab")
    rows = []
    for case, (before, after, *_) in cases.items():
        assert before in code
        (folder / f"{case}.py").write_text(code.replace(before, after))
        rows.append({"kind": kind, "name": case, "target": f"lab.{case}:Mine", "summary": "Wrong."})
    (folder / "registry.yaml").write_text(json.dumps(rows))


WRONG_FORMATS = {
    "raises": ("self.options = options", "raise OSError('no licence')", "no licence"),
    "fails": (
        "self.options = options",
        "self.found = {}['key']",
        "cannot be built (KeyError: 'key', at fails.py",
    ),
    "wants": (
        PASS,
        "        level: int\n",
        "without options (got the required level). Give every option a def",
    ),
    "refuses": (
        PASS,
        "        level: int = attrs.field(default=0, validator=attrs.validators.gt(0))\n",
        "its options have no valid defaults (ValueError: 'level' must be > 0: 0",
    ),
    "nameless": (
        SUFFIXES,
        "",
        "suffixes is invalid (got None). Give lower-case endings such as",
    ),
    "empty": ('(".abc",)', "()", "suffixes is invalid (got ())"),
    "letters": ('(".abc",)', '".abc"', "suffixes is invalid (got '.abc')"),
    "dotless": ('(".abc",)', '("",)', "suffixes is invalid (got ('',))"),
    "loud": ('(".abc",)', '(".ABC",)', "suffixes is invalid (got ('.ABC',))"),
    "untyped": (PASS, "        level = attrs.field(default=1)\n", "option level has no type"),
    "endless": (
        PASS,
        "        level: float = float('inf')\n",
        "option level has a default that no spec can hold",
    ),
    "undefined": (
        PASS,
        "        level: tuple = (1.0, float('nan'))\n",
        "(got (1.0, nan)). Use finite numbers",
    ),
    "constructor": ("__init__(self, options)", "__init__(self)", "Write __init__(self, options)."),
    "more": (
        "__init__(self, options)",
        "__init__(self, options, *, level)",
        "Write __init__(self, options).",
    ),
    "other": ("*, axes=None", "", "open does not take what it is given (got: got an unexpected keyword arg"),
}


def test_formats_that_cannot_be_used_are_told_and_left_out(install: Install, tmp_path: Path) -> None:
    add_all(install, "image_format", FORMAT, WRONG_FORMATS)
    listed = command("plugins", "list")
    told = [line for line in listed.output.splitlines() if line.startswith("broken ")]
    assert (listed.exit_code, len(told)) == (0, len(WRONG_FORMATS))
    for case, (*_, problem) in WRONG_FORMATS.items():
        (line,) = [line for line in told if f"image_format lab/{case}: " in line]
        assert line.startswith("broken component: lab 1.2: ")
        assert problem in line
    assert len(json.loads(command("plugins", "list", "--json").output)["broken"]) == len(told)
    path = tmp_path / "image.tif"
    save_image(path, Image(data=np.ones((3, 4), np.float32), axes="yx"))
    assert open_given(path, None).data.shape == (3, 4)
    assert not any(".abc" in one.suffixes for one in installed_formats())
    registry = Registry(installed_registry().components("image_format"))
    json.dumps(spec_schema(registry)[0], allow_nan=False)


def test_built_ins_keep_their_suffixes(install: Install, tmp_path: Path) -> None:
    add(install, "aaa", FORMAT.replace('(".abc",)', '(".abc", ".tif")'))
    path = tmp_path / "image.tif"
    save_image(path, Image(data=np.ones((3, 4), np.float32), axes="yx"))
    assert open_given(path, None).data.shape == (3, 4)
    save_image(tmp_path / "image.abc", open_given(path, None))
    assert (tmp_path / "image.abc").read_text() == "aaa"
    told = command("plugins", "list").output
    assert ".tif is a suffix of the built-in tiff, which keeps it. Choose another suffix." in told


def test_two_plugins_with_one_suffix_are_an_error_that_names_both(install: Install, tmp_path: Path) -> None:
    add(install, "one", FORMAT)
    add(install, "two", FORMAT.replace('(".abc",)', '(".two", ".abc")'))
    problem = r"\.abc is claimed by one/mine and two/mine\. Remove or disable .* one or two\."
    image = Image(data=np.ones((3, 4), np.float32), axes="yx")
    with pytest.raises(ImageError, match=problem):
        open_given(tmp_path / "image.ABC", None)
    with pytest.raises(ImageError, match=problem):
        save_image(tmp_path / "image.abc", image)
    save_image(tmp_path / "image.two", image)
    assert (tmp_path / "image.two").read_text() == "two"
    assert ".abc is claimed by one/mine and two/mine" in command("plugins", "list").output


WRONG_CLASSES = {
    "mutable": ("    @attrs.frozen\n", "    @attrs.define\n", "Options can be changed", "@attrs.frozen"),
    "use": (WIDTH, "        use: str = ''\n", "an option is called use", "Choose another name"),
    "untyped": (WIDTH, "        width = attrs.field(default=8)\n", "option width has no type", "width: int"),
    "unknown": (WIDTH, "        width: 'Wide' = 8\n", "annotations cannot be evaluated", "Write types that"),
    "endless": (
        WIDTH,
        "        width: float = math.inf\n",
        "default that no spec can hold (got inf)",
        "None",
    ),
    "listed": (
        WIDTH,
        "        width: list[float] = attrs.Factory(lambda: [math.nan])\n",
        "default that no spec can hold (got [nan])",
        "Use finite numbers",
    ),
    "failing": (
        WIDTH,
        "        width: float = attrs.Factory(lambda: 1 / 0)\n",
        "option width has a default that cannot be made (got ZeroDivisionError: division by zero)",
        "Correct its factory",
    ),
    "nothing": (
        WIDTH,
        "        width: float = None\n",
        "option width has a default of another type (got None for float)",
        "declare another, such as float | None",
    ),
    "fraction": (WIDTH, "        width: int = 2.5\n", "(got 2.5 for int)", "Give it one of this type"),
    "beside": (
        WIDTH,
        "        more: int\n        width: int = attrs.field(default=8, validator=attrs.validators.lt(4))\n",
        "its options have no valid defaults (ValueError: 'width' must be < 4: 8)",
        "Correct that of width, or its validator",
    ),
    "negative": ("extra_maps = 0", "extra_maps = -1", "extra_maps", "a whole number, 0 or more"),
    "half": ("extra_maps = 0", "extra_maps = 0.5", "extra_maps", "a whole number, 0 or more"),
    "likely": (
        "observation, signal, extra=None",
        "observation",
        "log_prob does not take",
        "def log_prob(self,",
    ),
    "plain": ("observation, signal, extra=None", "observation, signal", "log_prob does not", "def log_prob("),
    "seedless": ("pairs, *, seed", "pairs", "fit does not take", "def fit(self, pairs"),
    "built": (
        ", *, statistics",
        "",
        "its constructor does not take what it is given",
        "Write __init__(self, options, *, statistics).",
    ),
    "method": (
        "needs_fit = False",
        "def needs_fit(self): ...",
        "needs_fit is a method",
        "Make it a property",
    ),
}


def test_classes_of_the_wrong_shape_are_told_in_a_line_each(install: Install) -> None:
    add_all(install, "noise_model", NOISE_MODEL, WRONG_CLASSES)
    told = [line for line in command("plugins", "list", "--load").output.splitlines() if "broken" in line]
    assert len(told) == len(WRONG_CLASSES)
    found = {row.name: row for row in installed_registry().components() if row.package == "lab"}
    for case, (_, _, problem, expected) in WRONG_CLASSES.items():
        (line,) = [line for line in told if f"noise_model lab/{case}: lab.{case}:Mine: " in line]
        assert line.startswith("broken component: lab 1.2: ")
        assert problem in line
        assert expected in line
        with pytest.raises(BrokenPluginError, match=f"noise_model lab/{case}: .*{re.escape(problem)}"):
            found[case].load()
    schema, problems = spec_schema(Registry(found.values()))
    assert len(problems) == len(found)
    json.dumps(schema, allow_nan=False)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("", "", ""),
        ("observation, signal, extra=None", "counts, clean, maps=None", ""),
        ("signal, extra=None): ...\n    def fit", "*all): ...\n    def fit", ""),
        (
            "super().__init__()",
            "super().__init__(); 1 / 0",
            r"cannot be built \(ZeroDivisionError: .* parts.py:",
        ),
        (
            "super().__init__()",
            "super().__init__(); self.extra_maps = -2",
            r"\(got -2\)\. Give a whole number",
        ),
    ],
)
def test_what_is_wrong_when_it_is_built_is_told_in_one_line(
    install: Install, before: str, after: str, problem: str
) -> None:
    add(install, "built", NOISE_MODEL.replace(before, after), "noise_model")
    row = load_registry().find("noise_model", "mine")
    options = row.load().Options()
    if not problem:
        row.build(options, statistics=None)
        return
    with pytest.raises(BrokenPluginError, match=f"^noise_model built/mine: .*{problem}"):
        row.build(options, statistics=None)
