#!/usr/bin/env python3
"""Reads a run's interval logs with another implementation of HdrHistogram, and compares.

    python3 -m venv target/hlog && target/hlog/bin/pip install hdrhistogram==0.10.8
    target/hlog/bin/python tests/interop/read_hlog.py target/perf-lab/tail-latency/latest

For every series of every label in summary.json: the same count, the same percentiles. Exits with 1
where one differs. The Python reader rounds the rank of a percentile to the nearest sample; this
project, as HdrHistogram's Rust and current Java, takes the first sample that covers it. So the
comparison asks Python for that sample by its rank.
"""
import json
import math
import sys
from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

PERCENTILES = {"p50_ns": 50.0, "p90_ns": 90.0, "p99_ns": 99.0, "p99_9_ns": 99.9}


def total(logs):
    """All untagged intervals of several logs as one histogram."""
    merged = HdrHistogram(1, 3_600_000_000_000, 3)
    for log in logs:
        reader = HistogramLogReader(str(log), HdrHistogram(1, 3_600_000_000_000, 3))
        while (interval := reader.get_next_interval_histogram()) is not None:
            if interval.get_tag() is None:
                merged.add(interval)
    return merged


def value_at_rank(histogram, percentile):
    count = histogram.get_total_count()
    # Less a millionth: 0.99 * 100 is a hair more than 99.
    rank = math.ceil(percentile / 100 * count - 1e-6)
    return histogram.get_value_at_percentile(100 * (rank - 0.25) / count)


def differences(run):
    summary = json.loads((run / "summary.json").read_text())
    plan = json.loads((run / "plan.json").read_text())
    finished = {t["id"] for t in summary["trials"] if t["state"] == "finished" and not t["profiled"]}
    compared = 0
    for label, series in summary["series"].items():
        trials = [t["id"] for t in plan["trials"] if t["label"] == label and t["id"] in finished]
        for name, expected in series.items():
            histogram = total(run / "trials" / trial / f"{name}.hlog" for trial in trials)
            found = {"count": histogram.get_total_count() + expected["over_range"]}
            for key, percentile in PERCENTILES.items():
                if expected[key] is not None:
                    found[key] = value_at_rank(histogram, percentile)
            for key, value in found.items():
                compared += 1
                if value != expected[key]:
                    yield f"{label} {name} {key}: {value} here, {expected[key]} in summary.json"
    print(f"{compared} figures compared in {run}")


if __name__ == "__main__":
    wrong = list(differences(Path(sys.argv[1])))
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)
