"""The denoiser, its loss and its sampler: the only room that knows a U-Net."""
