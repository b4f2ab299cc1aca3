"""Prints config/README.md; `make docs` writes it."""

from leavekout.config.document import document
from leavekout.customized.config import CustomizedExperiment
from leavekout.leave_k_out.config import LeaveKOut

OTHERS = {"Customized models": CustomizedExperiment}

if __name__ == "__main__":
    print(document(LeaveKOut, OTHERS), end="")
