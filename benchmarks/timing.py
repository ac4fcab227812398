"""What the benchmarks share: timing two or more ways in turns, the process's peak memory, and the flags.

The ways take turns in one process, and who goes first alternates, so that whatever else the machine does falls on
all of them. On a busy machine read the processor time, which counts all threads of this process and not the
waiting for others; on torch with OMP_NUM_THREADS=1, since idle threads of OpenMP spin.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

from kzoo import backend

CLOCKS = ("wall", "cpu")


def timed(call) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def in_turns(ways: dict, turns: int, base: str, steps: int = 1) -> dict[str, dict]:
    """Times each way `turns` times, after one call to compile, against the way `base`.

    Args:
        ways: Name -> function of no arguments.
        turns: At least 2.
        base: The way that the others are compared with.
        steps: What a call is divided by: the training steps in it.

    Returns:
        Name -> {"wall_ms", "cpu_ms": medians of a step, "wall_ratio", "cpu_ratio": median over the turns of the
        base's time over this way's, so that above 1 is faster than the base, "..._quartiles": of those ratios}.
    """
    for call in ways.values():
        call()
    seconds = {name: [] for name in ways}
    for turn in range(turns):
        for name in list(ways)[:: -1 if turn % 2 else 1]:
            seconds[name].append(timed(ways[name]))
    rows = {}
    for name, pairs in seconds.items():
        rows[name] = {}
        for i, clock in enumerate(CLOCKS):
            ratios = [first[i] / own[i] for first, own in zip(seconds[base], pairs, strict=True)]
            low, ratio, high = statistics.quantiles(ratios, n=4)
            rows[name] |= {
                f"{clock}_ms": round(1e3 * statistics.median(pair[i] for pair in pairs) / steps, 4),
                f"{clock}_ratio": round(ratio, 4),
                f"{clock}_quartiles": [round(low, 4), round(high, 4)],
            }
    return rows


def peak_mib() -> float:
    """The most memory that this process has held so far, in MiB."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def parser(description: str) -> argparse.ArgumentParser:
    """The flags of every benchmark."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--smoke", action="store_true", help="a few small steps: that it runs, not a figure")
    made.add_argument("--out", type=Path, help="write the figures here as JSON")
    return made


def show(title: str, rows: dict[str, dict]) -> None:
    """Prints a table of what `in_turns` returned."""
    print(f"{title:34}{'ms':>10}{'CPU ms':>10}{'wall ratio':>12}{'CPU ratio':>11}  quartiles")
    for name, row in rows.items():
        low, high = row["cpu_quartiles"]
        print(
            f"  {name:32}{row['wall_ms']:10.3f}{row['cpu_ms']:10.3f}{row['wall_ratio']:12.3f}"
            f"{row['cpu_ratio']:11.3f}  {low:.3f} to {high:.3f}"
        )


def conclude(options, figures: dict) -> None:
    """Prints where the figures come from and the peak memory, and writes all of it where --out says."""
    report = {
        "backend": backend.name(),
        "devices": backend.devices(),
        "threads": backend.thread_count(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "smoke": options.smoke,
        "peak_mib": peak_mib(),
        **figures,
    }
    print(f"{report['backend']}, {', '.join(report['devices'])}, {report['threads']} threads; ", end="")
    print(f"peak memory {report['peak_mib']:.0f} MiB")
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
