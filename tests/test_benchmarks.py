"""What the benchmarks count with. The benchmarks themselves run nightly: each compiles for longer than a test may."""

import importlib
import json
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def timing(monkeypatch):
    """The module as the benchmarks import it, from beside them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("timing")


def test_ratios_are_the_base_over_the_way_and_turns_alternate(timing):
    order = []

    def sleeper(name, seconds):
        return lambda: (order.append(name), time.sleep(seconds))

    rows = timing.in_turns({"slow": sleeper("slow", 0.06), "fast": sleeper("fast", 0.01)}, 3, base="slow", steps=2)
    assert order == ["slow", "fast", "slow", "fast", "fast", "slow", "slow", "fast"]
    assert rows["slow"]["wall_ratio"] == 1
    assert rows["fast"]["wall_ratio"] > 1.5
    assert rows["slow"]["wall_ms"] >= 30


def test_the_report_says_where_the_figures_come_from(timing, tmp_path, backend, capsys):
    options = timing.parser("words").parse_args(["--smoke", "--out", str(tmp_path / "figures.json")])
    timing.conclude(options, {"rows": {}})
    report = json.loads((tmp_path / "figures.json").read_text())
    assert report["backend"] == backend
    assert report["smoke"] is True
    assert 10 < report["peak_mib"] < 1e6
    assert "peak memory" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_every_benchmark_imports_kzoo_before_keras_and_sets_no_backend(path):
    text = path.read_text()
    assert 'KERAS_BACKEND"' not in text
    first = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    modules = [line.split()[1].split(".")[0] for line in first]
    if "keras" in modules:
        assert modules.index("kzoo") < modules.index("keras")
