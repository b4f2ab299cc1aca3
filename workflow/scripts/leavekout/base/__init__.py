"""What all other folders use: errors, noise, files, jobs, resuming, precision."""
