"""``python -m denoisplit`` is the command line."""

from denoisplit.cli import main

main()
