"""The command line, run by ``python -m denoisplit``."""

from denoisplit.cli import main

main()
