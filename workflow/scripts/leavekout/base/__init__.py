"""What every room rests on: errors, noise, files, jobs, resuming, precision."""
