"""Speed, start-up and memory; `make bench` runs them and prints ratios."""
