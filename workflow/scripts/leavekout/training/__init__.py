"""Training from scratch on a paired stream of samples, with a state that survives kills."""

# Version of the training loop: raised when the weights that it makes change, if by their last bits.
TRAINING_LOOP = 2
