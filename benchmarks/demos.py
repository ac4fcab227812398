"""Many visitors of a demo at once: errors, answers that belong to somebody else, seconds to wait, the server's memory.

    KERAS_BACKEND=jax python benchmarks/demos.py [--app cnn_app] [--visitors 20] [--seconds 60] [--smoke] [--out FILE]

Each visitor is a `gradio_client` with a session and settings of its own. It first asks alone and keeps the answers;
then all ask at the same time, over and over, and every answer must be the one that it got alone.
"""

import collections
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import timing

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from gradio_client import Client

DEMOS = Path(__file__).parents[1] / "demos"


def point_visit(family: str, number: int) -> list[tuple[str, dict]]:
    """A network of the visitor's own on the page of points: started afresh, then two steps; and one by the API."""
    settings = {"Seed": number, "Noise": 0.05 + 0.01 * (number % 10)}
    api = {"data": "moons", "seed": number}
    return [
        (f"{family}_reset", settings),
        (f"{family}_step", settings),
        (f"{family}_step", settings),
        (f"/train_{family}", api),
    ]


def digit_visit(number: int) -> list[tuple[str, dict]]:
    """Another filter, at another place, for each visitor."""
    places = {"filter": number % 32, "row": number % 26, "column": (7 * number) % 26, "target": str(number % 10)}
    return [("/explain", places), ("/classify", {})]


def series_visit(number: int) -> list[tuple[str, dict]]:
    """Three models of the visitor's own on the page of series: started afresh, then two steps; and three by the API."""
    settings = {"Seed": number, "Hidden units": 4 + number % 20}
    api = {"data": "sine", "seed": number, "units": 8, "steps": 3}
    return [("rnn_reset", settings), ("rnn_step", settings), ("rnn_step", settings), ("/train_rnn", api)]


def movement_visit(number: int) -> list[tuple[str, dict]]:
    """A network of the visitor's own on a curve: started afresh, two steps, another time constant; one by the API."""
    settings = {"What is taught": "own", "Learning rate": "0.02", "Seed": number}
    asked = {**settings, "Time constant, slow units": 20 + 10 * (number % 10)}
    api = {"seed": number, "steps": 3}
    return [
        ("mtrnn_reset", settings),
        ("mtrnn_step", settings),
        ("mtrnn_step", settings),
        ("mtrnn_view", asked),
        ("/train_mtrnn", api),
    ]


def spiking_visit(number: int) -> list[tuple[str, dict]]:
    """A neuron, a network and a time to read a digit in, of the visitor's own; a neuron by the page's event, too."""
    noisy = {"Amplitude": 0.1 + 0.01 * number, "White noise": 3.0, "Seed": number}
    return [
        ("neuron", noisy),
        ("/simulate_neuron", {"amplitude": 0.21 + 0.01 * number}),
        ("/think", {"steps": 5 + number % 5}),
        ("/simulate_network", {"g": 5.0, "eta": 0.8 + 0.1 * (number % 10), "seed": number}),
    ]


# What visitor number N does on each app: an event's name, and the values that it does not leave as they are, by the
# beginning of their labels; by the parameters' names where the event is one of the API, "/name".
VISITS = {
    "perceptron_app": lambda number: point_visit("perceptron", number),
    "mlp_app": lambda number: point_visit("mlp", number),
    "cnn_app": digit_visit,
    "rnn_app": series_visit,
    "mtrnn_app": movement_visit,
    "lif_app": spiking_visit,
}


class Visitor:
    """One client with its own session."""

    def __init__(self, url: str, number: int, visit):
        self.client = Client(url, verbose=False, download_files=False)
        self.calls = visit(number)
        self.alone: list[str] = []
        self.seconds: list[float] = []
        self.errors = collections.Counter()
        self.mixed_up = 0

    def ask(self, event: str, changes: dict) -> str:
        """The answer to one event, as text."""
        if event.startswith("/"):
            return json.dumps(self.client.predict(api_name=event, **changes), sort_keys=True)
        config = self.client.config
        parts = {part["id"]: part for part in config["components"]}
        found = next(one for one in config["dependencies"] if one["api_name"] == event)
        self.client.endpoints[found["id"]].is_valid = True  # the page's own event, which the API does not list
        values = []
        for part in (parts[number] for number in found["inputs"]):
            if part["type"] == "state":
                continue  # the server keeps it, by session
            label = str(part["props"].get("label") or "")
            wanted = [value for start, value in changes.items() if label.startswith(start)]
            values.append(wanted[0] if wanted else part["props"].get("value"))
        return json.dumps(self.client.predict(*values, fn_index=found["id"]), sort_keys=True)

    def once(self) -> list[str]:
        return [self.ask(*call) for call in self.calls]

    def keep_asking(self, end: float) -> None:
        """Asks until `end` and counts what is not as it was alone."""
        for place in itertools.cycle(range(len(self.calls))):
            if time.monotonic() > end and place == 0:
                return
            started = time.monotonic()
            try:
                answer = self.ask(*self.calls[place])
            except Exception as error:  # whatever it is, a visitor would have seen it
                self.errors[f"{type(error).__name__}: {error}"[:200]] += 1
                continue
            self.seconds.append(time.monotonic() - started)
            self.mixed_up += answer != self.alone[place]


def memory_mib(process: int) -> float:
    """What a process holds in memory now, in MiB."""
    import psutil

    return psutil.Process(process).memory_info().rss / 2**20


def measure(app: str, visitors: int, seconds: float) -> dict:
    """Starts one app, sends the visitors, and returns the figures."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, started = f"http://127.0.0.1:{port}", time.monotonic()
    server = subprocess.Popen([sys.executable, DEMOS / f"{app}.py", "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/config", timeout=10).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() - started > 180:
                    raise SystemExit(f"{app} did not start") from None
                time.sleep(0.1)
        ready = time.monotonic() - started
        crowd = [Visitor(url, number, VISITS[app]) for number in range(visitors)]
        for one in crowd:
            one.alone = one.once()
        repeated = sum(one.once() != one.alone for one in crowd[:3])
        distinct = len({answer for one in crowd for answer in one.alone[:1]})
        before, samples = memory_mib(server.pid), []
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=one.keep_asking, args=(end,)) for one in crowd]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            samples.append(memory_mib(server.pid))
            time.sleep(1)
        time.sleep(5)
        after = memory_mib(server.pid)
    finally:
        server.terminate()
        server.wait(20)
    waits = sorted(wait for one in crowd for wait in one.seconds)
    errors = sum((one.errors for one in crowd), collections.Counter())
    third = max(1, len(samples) // 3)
    return {
        "seconds_to_first_answer": round(ready, 1),
        "visitors": visitors,
        "answers": len(waits),
        "errors": sum(errors.values()),
        "error_texts": dict(errors.most_common(5)),
        "mixed_up": sum(one.mixed_up for one in crowd),
        "changed_when_asked_again_alone": repeated,
        "distinct_first_answers": distinct,
        "wait_median_s": round(statistics.median(waits), 2) if waits else None,
        "wait_worst_s": round(waits[-1], 2) if waits else None,
        "memory_mib": {
            "before": round(before),
            "first_third": round(statistics.mean(samples[:third])),
            "last_third": round(statistics.mean(samples[-third:])),
            "most": round(max(samples)),
            "after": round(after),
        },
    }


def main() -> None:
    parser = timing.parser(__doc__.partition("\n")[0])
    parser.add_argument("--app", choices=list(VISITS), action="append", help="only this app; may be given again")
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    if options.smoke:
        options.visitors, options.seconds = 3, 3
    figures = {}
    for app in options.app or list(VISITS):
        figures[app] = measure(app, options.visitors, options.seconds)
        print(app)
        for name, value in figures[app].items():
            print(f"  {name:32}{value}")
    timing.conclude(options, {"apps": figures})


if __name__ == "__main__":
    main()
