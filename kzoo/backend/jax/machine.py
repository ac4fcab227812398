"""What JAX found to compute with."""

import os

import jax


def devices() -> list[str]:
    """The devices that the backend found, for a reader: `["cpu:0"]`, `["cuda:0 (NVIDIA H200)"]`."""
    return [
        f"{device.platform}:{device.id}" + ("" if device.platform == "cpu" else f" ({device.device_kind})")
        for device in jax.devices()
    ]


def thread_count() -> int:
    """The number of CPU threads that one operation of the backend may use."""
    # XLA's thread pool has one thread a schedulable core, unless NPROC says otherwise.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(os.environ.get("NPROC") or cores or 1)
