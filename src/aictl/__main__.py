"""``python -m aictl``."""

from aictl.cli.app import main

main()
