"""`python -m inference` is `posture`."""

from inference.cli import main

main()
