"""Several groups of scores: one test of all of them, corrected tests of pairs, and the share that groups explain."""
