"""Jobs: artifacts on disk, logs, errors in words, interruption and resuming, downloads."""
