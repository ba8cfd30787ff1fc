"""What nothing calls is found."""

from pathlib import Path

from tools.unused import unused

CODE = '''
import click

def __getattr__(name):
    return called()

def called():
    return 1

@click.command()
def command():
    return called()

class Lost:
    """Nobody makes one."""
'''


def test_what_nothing_calls_is_found(tmp_path: Path) -> None:
    (tmp_path / "package.py").write_text(CODE, encoding="utf-8")
    assert [item.name for item in unused(tmp_path)] == ["Lost"]
