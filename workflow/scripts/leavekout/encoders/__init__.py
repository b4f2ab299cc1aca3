"""VAE, text encoder, CLIP, DINO: trained here or fetched, and what they make of the data."""
