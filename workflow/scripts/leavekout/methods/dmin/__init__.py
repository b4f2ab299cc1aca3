"""DMin: inner products of compressed gradients, timestep by timestep."""
