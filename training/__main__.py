"""`python -m training` is `posture-train`."""

from training.cli import main

main()
