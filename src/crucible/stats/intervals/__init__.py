"""Intervals of means, shares and any statistic: by formulas, by resamples, by clusters."""
