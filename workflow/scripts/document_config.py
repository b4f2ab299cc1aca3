"""Prints config/README.md; `make docs` writes it."""

from leavekout.config.document import document
from leavekout.config.leave_k_out import LeaveKOut
from leavekout.customized.config import CustomizedExperiment

OTHERS = {"Customized models": CustomizedExperiment}

if __name__ == "__main__":
    print(document(LeaveKOut, OTHERS), end="")
