"""Tests and benchmarks; a package, because ppi-python installs a `tests` of its own."""
