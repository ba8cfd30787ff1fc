"""What importing the package and asking for help may load."""

import subprocess
import sys
from pathlib import Path

import pytest

import denoisplit
from tests.budgets.counting import within

ROOT = Path(denoisplit.__file__).parents[1]
START = "import sys; before = set(sys.modules)"
MISSING = "import contextlib; from denoisplit.cli import main\nwith contextlib.suppress(Exception):"
REPORT = "print('LOADED', *sorted(set(sys.modules) - before))"


@pytest.mark.parametrize(
    ("code", "own", "others"),
    [
        ("import denoisplit", 4, 60),
        ("from denoisplit.cli import main; main(['--help'], standalone_mode=False)", 7, 160),
        ("from denoisplit.cli import main; main(['plugins', 'list'], standalone_mode=False)", 22, 400),
        (f"{MISSING}\n    main(['train', 'no.yaml', '--out', 'no'], standalone_mode=False)", 75, 400),
        (f"{MISSING}\n    main(['data', 'check', 'no.yaml'], standalone_mode=False)", 73, 400),
    ],
)
def test_modules_that_are_loaded(code: str, own: int, others: int) -> None:
    """The package's own modules, and those of the standard library and of other packages."""
    done = subprocess.run(
        [sys.executable, "-c", f"{START}\n{code}\n{REPORT}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.splitlines()[-1].split()[1:]
    ours = [name for name in loaded if name.partition(".")[0] == "denoisplit"]
    within(len(ours), own, f"modules of the package that `{code}` loads ({', '.join(ours)})")
    within(len(loaded) - len(ours), others, f"modules of others that `{code}` loads")
