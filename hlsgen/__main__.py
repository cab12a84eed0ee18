"""``python -m hlsgen``: the command line without its entry point."""

from hlsgen.cli import main

main()
