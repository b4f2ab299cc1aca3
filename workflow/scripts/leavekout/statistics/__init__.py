"""The bootstrap behind intervals, and tests of paired differences."""
