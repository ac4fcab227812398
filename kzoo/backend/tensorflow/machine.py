"""What TensorFlow found to compute with."""

import os

import tensorflow as tf


def devices() -> list[str]:
    """See `kzoo.backend.devices`."""
    found = []
    for device in tf.config.list_physical_devices():
        kind, index = device.name.lower().split(":")[-2:]
        if kind == "xla_cpu" or kind == "xla_gpu":
            continue
        model = tf.config.experimental.get_device_details(device).get("device_name") if kind == "gpu" else None
        found.append(f"{kind}:{index}" + (f" ({model})" if model else ""))
    return found


def thread_count() -> int:
    """See `kzoo.backend.thread_count`."""
    # 0 is TensorFlow's word for "as many as there are cores".
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return tf.config.threading.get_intra_op_parallelism_threads() or cores or 1
