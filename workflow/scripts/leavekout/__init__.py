"""leave-K-out: counterfactual evaluation of data attribution for text-to-image models.

The package holds the science and never imports Snakemake: functions take tensors and plain values,
so each can be tested alone and used in a notebook. Importing the package imports nothing heavy,
because the Snakefile imports it.
"""

import gc

# Importing torch, diffusers and transformers takes 10.0 CPU seconds with Python's threshold of 700
# and 9.1 with this one (means of five fresh processes each), because fewer passes look for garbage.
gc.set_threshold(20_000)
