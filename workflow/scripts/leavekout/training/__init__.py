"""Training from scratch on a paired stream of samples, with checkpoints."""

# Version of the training loop: raised when its weights change, even in the last bits.
TRAINING_LOOP = 2
