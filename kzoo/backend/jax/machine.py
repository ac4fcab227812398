"""What JAX found to compute with."""

import os

import jax


def devices() -> list[str]:
    """See `kzoo.backend.devices`."""
    return [
        f"{device.platform}:{device.id}" + ("" if device.platform == "cpu" else f" ({device.device_kind})")
        for device in jax.devices()
    ]


def thread_count() -> int:
    """See `kzoo.backend.thread_count`."""
    # XLA's thread pool has one thread a schedulable core, unless NPROC says otherwise.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(os.environ.get("NPROC") or cores or 1)
