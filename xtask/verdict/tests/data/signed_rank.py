#!/usr/bin/env python3
"""Makes signed_rank.json: 20 sets of differences with the estimate and interval that SciPy's
exact Wilcoxon signed-rank test gives for them.

The interval is found by inverting the test, not from Walsh averages, so that it shares no step
with the code under test: an end is where the p-value of `differences - theta` crosses alpha,
and the estimate where the statistic crosses half of its range, both by bisection.

    pip install numpy scipy && python3 signed_rank.py > signed_rank.json
"""
import json
import sys

import numpy as np
import scipy
from scipy.stats import wilcoxon


def p_value(d, theta):
    return wilcoxon(d - theta, method="exact", zero_method="wilcox").pvalue


def positive_ranks(d, theta):
    return wilcoxon(d - theta, method="exact", alternative="greater").statistic


def crossing(is_left, low, high):
    """The point where `is_left` turns from true to false, to the last bit."""
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return high
        low, high = (middle, high) if is_left(middle) else (low, middle)


def case(name, d, alpha):
    d = np.array(d, dtype=float)
    # Odd offsets: a bisection that starts on a round number may land on an exact tie.
    far_left, far_right = d.min() - 0.7123, d.max() + 0.6871
    half = len(d) * (len(d) + 1) / 4
    a = crossing(lambda t: positive_ranks(d, t) > half, far_left, far_right)
    b = crossing(lambda t: positive_ranks(d, t) >= half, far_left, far_right)
    centre = (a + b) / 2 + 1e-7
    low = crossing(lambda t: p_value(d, t) <= alpha, far_left, centre)
    high = crossing(lambda t: p_value(d, t) > alpha, centre, far_right)
    return dict(name=name, alpha=alpha, differences=d.tolist(), estimate=(a + b) / 2, low=low, high=high, level=level(len(d), alpha))


def level(n, alpha):
    """The confidence of an interval of n differences: from untied ones, where p moves in single steps."""
    d = np.random.default_rng(n).normal(0, 1, n)
    low = crossing(lambda t: p_value(d, t) <= alpha, d.min() - 0.7, np.median(d) + 1e-7)
    return 1 - p_value(d, low - 1e-9)


def cases():
    rng = np.random.default_rng(20)
    for n, alpha in [(6, 0.05), (7, 0.02), (8, 0.02), (8, 0.01), (10, 0.05), (12, 0.02), (12, 0.01), (16, 0.02), (24, 0.02), (24, 0.005)]:
        yield case(f"normal, {n} pairs", rng.normal(0.01, 0.05, n), alpha)
    for n, alpha in [(8, 0.02), (12, 0.02), (16, 0.01), (24, 0.02)]:
        yield case(f"heavy tails, {n} pairs", 0.05 * rng.standard_t(2, n), alpha)
    yield case("far from zero", rng.normal(2.0, 0.01, 16), 0.02)
    yield case("skewed", rng.exponential(0.1, 16), 0.05)
    yield case("sixty pairs", rng.normal(0, 0.2, 60), 0.02)
    yield case("ties", np.round(rng.normal(0.02, 0.05, 12), 2), 0.02)
    yield case("ties and zeros", np.round(rng.normal(0, 0.02, 16), 2), 0.02)
    yield case("one outlier", np.append(rng.normal(0.03, 0.01, 9), 40.0), 0.05)


json.dump(dict(made_by=f"signed_rank.py, SciPy {scipy.__version__}", cases=list(cases())), sys.stdout, indent=1)
print()
