"""What needs labels: read them, split, fit, calibrate, evaluate, and write a model folder."""
