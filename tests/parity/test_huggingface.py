"""Models that transformers itself wrote, read by kzoo on each backend, and read by transformers again.

Needs the three backends and transformers in one environment; `nox -s parity` makes it.
"""

import numpy as np
import pytest
from safetensors.numpy import load_file

import kzoo

pytest.importorskip("transformers")
MODELS = ("gpt2", "mamba", "mamba2")
PIECES = (1, 3, 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, work, work_on_each):
    """In which transformers wrote, kzoo read and wrote on each backend, and transformers read again."""
    root = tmp_path_factory.mktemp("huggingface")
    work("huggingface_worker.py", "make", root)
    work_on_each("huggingface_worker.py", "read", root)
    work("huggingface_worker.py", "check", root)
    return root


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("backend", kzoo.backend.NAMES)
def test_logits_are_those_of_transformers_whole_and_in_pieces(backend, name, folder):
    expected = np.load(folder / name / "theirs.npz")["logits"]
    assert 0.3 < expected.std() < 3  # so that an absolute tolerance means something
    found = np.load(folder / name / f"{backend}.npz")
    apart = np.abs(found["logits"] - expected).max()
    streamed = {piece: np.abs(found[f"pieces_{piece}"] - found["logits"]).max() for piece in PIECES}
    print(
        f"{name} on {backend}: {apart:.1e} from transformers; in pieces of "
        + ", ".join(f"{piece}: {value:.1e}" for piece, value in streamed.items())
    )
    assert apart < 1e-5
    assert max(streamed.values()) < 1e-5


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("backend", kzoo.backend.NAMES)
def test_transformers_reads_the_same_bits_back(backend, name, folder):
    before = load_file(folder / name / "theirs" / "model.safetensors")
    after = load_file(folder / name / f"{backend}-back" / "model.safetensors")
    assert before.keys() == after.keys()
    for key in before:
        np.testing.assert_array_equal(after[key], before[key], err_msg=key)
    # Not the same bits of the logits: its products round by where a weight lies in memory.
    expected = np.load(folder / name / "theirs.npz")["logits"]
    np.testing.assert_allclose(np.load(folder / name / "check.npz")[backend], expected, rtol=0, atol=1e-5)
