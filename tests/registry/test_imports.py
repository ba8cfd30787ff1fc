"""What importing the package must not import."""

import subprocess
import sys
from pathlib import Path

import pytest

import denoisplit

HEAVY = ("torch", "lightning_fabric", "numpy", "scipy", "matplotlib", "rich")
ROOT = Path(denoisplit.__file__).parents[1]


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import denoisplit; denoisplit.__version__; dir(denoisplit)", HEAVY),
        ("import denoisplit; denoisplit.installed_registry().components()", HEAVY),
        ("import denoisplit; denoisplit.register", HEAVY),
        (
            "import denoisplit; denoisplit.read_spec; denoisplit.load_spec",
            ("torch", "lightning_fabric", "scipy"),
        ),
        ("from denoisplit.cli import main; main(['--help'], standalone_mode=False)", HEAVY),
        ("from denoisplit.cli import main; main(['plugins', 'list'], standalone_mode=False)", HEAVY),
    ],
)
def test_no_heavy_library_is_imported(code: str, heavy: tuple[str, ...]) -> None:
    report = "import sys; print('LOADED', *[name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}", *heavy],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_the_version_is_that_of_the_project_file() -> None:
    assert f'version = "{denoisplit.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_an_unknown_public_name_lists_the_known_ones() -> None:
    wrong = "trane"
    with pytest.raises(AttributeError, match=r"no attribute trane\. It has .*train"):
        getattr(denoisplit, wrong)
