"""Prints an experiment's summary for the terminal: python show_tables.py results/digits."""

import sys
from pathlib import Path

import pandas as pd

from leavekout.tables import readable

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(f"\nLeave-K-out on {folder.name}, mean ± standard error over queries:\n")
    print(readable(pd.read_csv(folder / "tables" / "leave_k_out.csv")))
    print(f"\nTables   {folder}/tables\nFigures  {folder}/figures\nReport   {folder}/report.html")
