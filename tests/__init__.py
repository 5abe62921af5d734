"""Makes this the package `tests`: ppi-python installs one of the same name."""
