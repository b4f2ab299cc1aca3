"""leave-K-out: counterfactual evaluation of data attribution for text-to-image models.

The package holds the science and never imports Snakemake: every function takes tensors
and plain values, so each can be tested alone and used in a notebook. Importing the
package itself imports nothing heavy, because the Snakefile parses with it.
"""

import gc

# Importing torch and diffusers makes many objects that stay. Python would look them over for
# garbage so often that a tenth of a job's start went into it; results do not depend on it.
gc.set_threshold(20_000)
