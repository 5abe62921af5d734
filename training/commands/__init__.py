"""One file a command of `posture-train`, each with a click command named `command`."""
