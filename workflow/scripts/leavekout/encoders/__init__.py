"""VAE, text encoder, CLIP and DINO: trains or fetches them, and encodes the data."""
