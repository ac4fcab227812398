"""What PyTorch found to compute with."""

import torch


def devices() -> list[str]:
    """The devices that the backend found, for a reader: `["cpu:0"]`, `["cuda:0 (NVIDIA H200)"]`."""
    found = ["cpu:0"]
    found += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps:0")
    return found


def thread_count() -> int:
    """The number of CPU threads that one operation of the backend may use."""
    return torch.get_num_threads()
