"""The container file names what is there, and asks for nothing that it must not."""

import re
import tomllib
from pathlib import Path

import denoisplit

ROOT = Path(denoisplit.__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STEPS = [
    (word, rest)
    for word, rest in re.findall(r"^([A-Z]+) (.*)$", TEXT.replace("\\\n", " "), re.MULTILINE)
    if not word.startswith("#")
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def rest_of(word: str) -> list[str]:
    return [rest for found, rest in STEPS if found == word]


def copied() -> set[str]:
    """Files and folders of the project that go into the image."""
    sources = (rest.split()[:-1] for rest in rest_of("COPY") if "--from=" not in rest)
    return {source for found in sources for source in found}


def test_what_is_copied_is_there_and_not_kept_from_the_builder() -> None:
    let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied() == {line[1:] for line in let_in if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied())
    shipped = {*PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"], "pyproject.toml"}
    assert copied() | {"Dockerfile", ".dockerignore"} <= shipped


def test_arguments_have_defaults_and_images_a_version() -> None:
    assert rest_of("ARG")
    assert all("=" in rest for rest in rest_of("ARG"))
    for image in rest_of("FROM"):
        tag = image.split()[0].partition(":")[2]
        assert tag
        assert "latest" not in tag


def test_pytorch_is_the_tested_one_from_the_given_index() -> None:
    installs = [rest for rest in rest_of("RUN") if rest.startswith("pip install")]
    assert all("constraints.txt" in rest for rest in installs)
    assert '--index-url "${TORCH_INDEX}" torch' in installs[0]


def test_extras_are_those_of_the_project() -> None:
    (extras,) = [rest.partition("=")[2] for rest in rest_of("ARG") if rest.startswith("EXTRAS=")]
    assert set(extras.split(",")) <= PROJECT["project"]["optional-dependencies"].keys()


def test_it_runs_the_command_as_somebody_without_rights() -> None:
    words = [word for word, _ in STEPS]
    last_stage = words[len(words) - words[::-1].index("FROM") :]
    assert "USER" in last_stage
    assert rest_of("USER") == ["1000"]
    assert rest_of("ENTRYPOINT") == ['["denoisplit"]']
    assert "denoisplit" in PROJECT["project"]["scripts"]
