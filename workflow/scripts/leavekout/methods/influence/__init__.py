"""Influence by projected gradients: TRAK, D-TRAK, DataInf, DAS, ReTrac, Motive."""
