"""What PyTorch found to compute with."""

import torch


def devices() -> list[str]:
    """See `kzoo.backend.devices`."""
    found = ["cpu:0"]
    found += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps:0")
    return found


def thread_count() -> int:
    """See `kzoo.backend.thread_count`."""
    return torch.get_num_threads()
