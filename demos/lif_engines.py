"""The same neuron on three engines: NumPy, Brian2 where it is installed, and the Keras layer; and where they differ.

Brian2 runs as a C++ program of its own where a compiler is here: it is built once, in the background, and then runs in
milliseconds. Without a compiler it runs in Python, in a process of its own; without Brian2 the other two are shown.
"""

import concurrent.futures
import dataclasses
import time

import lif_markup as markup
import lif_neuron as one
import numpy as np
from lif_settings import Settings

import kzoo
from kzoo.bio import engines, simulate
from kzoo.bio.engines import plan
from kzoo.errors import KzooError

MOST = 5000  # steps: where no loop is compiled, a step of the Keras layer takes a third of a millisecond
PATIENCE = 180.0  # seconds that a visitor waits for Brian2 at most; what is being built goes on
_BESIDE = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="brian")


@dataclasses.dataclass(frozen=True)
class Run:
    """What one engine made of the neuron.

    Attributes:
        name: Of the engine, as the page calls it.
        what: What ran.
        seconds: Of wall time; None where nothing ran.
        voltage: (t,) in volts, or None where there is none (yet).
        spikes: (t,) bool, or None.
        note: Why there is nothing, or what is going on.
    """

    name: str
    what: str
    seconds: float | None = None
    voltage: np.ndarray | None = None
    spikes: np.ndarray | None = None
    note: str = ""


def by_numpy(settings: Settings) -> tuple[Run, np.ndarray]:
    """The neuron by NumPy, and the current (t,) in amperes that all engines are given: its first MOST steps."""
    recording = one.record(settings)
    given = recording.current[:MOST, 0]
    started = time.perf_counter()
    recording = simulate(settings.parameters, given, settings.dt * 1e-3, engine="numpy")
    seconds = time.perf_counter() - started
    return Run("NumPy", "exact steps, float64", seconds, recording.voltage[:, 0], recording.spikes[:, 0]), given


def by_keras(settings: Settings, current) -> Run:
    """The neuron as a Keras layer, in float64 where the backend has it."""
    import keras

    from kzoo.layers.lif import LIF

    tensor = keras.ops.convert_to_tensor(np.asarray(current)[None, :, None])  # (b, t, u)
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    layer = LIF(1, **dataclasses.asdict(settings.parameters), dt=settings.dt * 1e-3, return_voltages=True, dtype=dtype)
    started = time.perf_counter()
    spikes, voltage = kzoo.backend.compiled(layer, [])(tensor)
    spikes, voltage = (keras.ops.convert_to_numpy(part)[0, :, 0] for part in (spikes, voltage))
    seconds = time.perf_counter() - started
    what = f"layer LIF on {kzoo.backend.name()}, {voltage.dtype}"
    note = "" if voltage.dtype == np.float64 else f"{kzoo.backend.name()} computes in {voltage.dtype} here."
    return Run("Keras", what, seconds, np.asarray(voltage, float), spikes > 0.5, note)


def brian() -> tuple[str | None, str]:
    """Which of Brian2's engines runs here, None for none, and a sentence on why not the quickest; "" for that one."""
    lacks = engines.available()
    if not lacks["brian-cpp"]:
        return "brian-cpp", ""
    if not lacks["brian-numpy"]:
        return "brian-numpy", f"Not as a C++ program: {lacks['brian-cpp']}."
    return None, f"Not here: {lacks['brian-numpy']}. The other two need nothing of it."


WHAT = {"brian-cpp": "Brian2, a C++ program", "brian-numpy": "Brian2, generated Python"}


def by_brian(settings: Settings, current, engine: str, progress=None) -> Run:
    """The neuron by Brian2.

    Raises:
        KzooError: if it fails; a long story in several lines.
    """

    def run():
        dt = settings.dt * 1e-3
        return simulate(settings.parameters, current, dt, engine=engine, timeout=PATIENCE, progress=progress)

    if engine == "brian-cpp" and not engines.programs.is_built(plan.SINGLE):
        run()  # what the first time takes is the compiler's
    started = time.perf_counter()
    recording = run()
    seconds = time.perf_counter() - started
    what = WHAT.get(recording.engine, recording.engine)
    return Run("Brian2", what, seconds, recording.voltage[:, 0], recording.spikes[:, 0], recording.note)


def runs(settings: Settings):
    """The runs of all engines as they come: lists of NumPy's, Brian2's and Keras's.

    Raises:
        ParameterError: where the parameters do not go together.
    """
    numpy, given = by_numpy(settings)
    engine, why = brian()
    other = Run("Brian2", "", note=why) if engine is None else Run("Brian2", WHAT[engine], note="starting ...")
    layer = Run("Keras", f"layer LIF on {kzoo.backend.name()}", note="running ...")
    yield [numpy, other, layer]
    heard = []
    asked = None if engine is None else _BESIDE.submit(by_brian, settings, given, engine, heard.append)
    layer = by_keras(settings, given)
    if asked is None:
        yield [numpy, other, layer]
        return
    started = time.monotonic()
    while True:
        try:
            other = asked.result(timeout=0.5)
            other = dataclasses.replace(other, note=other.note or why)
            break
        except concurrent.futures.TimeoutError:
            waited = time.monotonic() - started
            if waited > PATIENCE:
                other = dataclasses.replace(other, note="It takes too long here; come back in a minute.")
                break
            said = heard[-1] if heard else "running"
            yield [numpy, dataclasses.replace(other, note=f"{said} ({waited:.0f} s)"), layer]
        except KzooError as error:
            other = dataclasses.replace(other, note="It failed: " + str(error).splitlines()[0][:200])
            break
    yield [numpy, other, layer]


def difference(run: Run, reference: Run) -> tuple[np.ndarray, float, int]:
    """|V - V of the reference| (t,) in volts, the largest, and in how many steps only one of the two has a spike."""
    gaps = np.abs(run.voltage - reference.voltage)
    return gaps, float(gaps.max()), int((run.spikes != reference.spikes).sum())


def look(settings: Settings, found: list[Run]) -> tuple[str, str]:
    """The overlaid voltages and the table, as markup."""
    reference = found[0]
    rows, drawn = [], []
    for run in found:
        if run.voltage is None:
            rows.append((run.name, run.what, "", "", "", "", run.note))
            continue
        gaps, largest, moved = difference(run, reference)
        drawn.append((run.name, run.voltage * 1e3, gaps * 1e3))
        apart = ("", "") if run is reference else (f"{1e3 * largest:.1e} mV".replace("e-", "e\u2212"), str(moved))
        rows.append((run.name, run.what, f"{int(run.spikes.sum())}", *apart, _time(run.seconds), run.note))
    steps = len(reference.voltage)
    label = f"The neuron's voltage by {', '.join(name for name, *_ in drawn)}, over {steps * settings.dt:g} ms"
    picture = markup.overlay_svg(
        settings.dt, drawn, np.flatnonzero(reference.spikes), threshold=settings.v_threshold, label=label
    )
    return picture, markup.engines_html(rows)


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def code(settings: Settings, engine: str | None) -> str:
    """The lines that give what is on screen; they run as pasted.

    Args:
        settings: Of the neuron.
        engine: Of Brian2, or None where there is none here.
    """
    dt = f"{settings.dt * 1e-3:g}"
    start = one.start_of_code(settings)
    asked = ""
    if engine:
        asked = f"""
# Brian2: "brian-cpp" is a C++ program, built once; "brian-numpy" needs no compiler
brian = simulate(neuron, given, dt={dt}, engine="{engine}")
print("Brian2:", 1e3 * np.abs(brian.voltage[:, 0] - numpy.voltage[:, 0]).max(), "mV")
"""
    return f"""import dataclasses

import kzoo  # before keras: it chooses the backend
import keras
from kzoo.layers.lif import LIF as Layer
{start}
given = recording.current[:{MOST}, 0]  # the same for all
numpy = simulate(neuron, given, dt={dt})
{asked}
# The same numbers make a Keras layer: currents (b, t, u) to spikes and voltages
tensor = keras.ops.convert_to_tensor(given[None, :, None])
dtype = keras.backend.standardize_dtype(tensor.dtype)  # float64 where the backend has it
layer = Layer(1, **dataclasses.asdict(neuron), dt={dt}, return_voltages=True, dtype=dtype)
spikes, voltage = (keras.ops.convert_to_numpy(part)[0, :, 0] for part in kzoo.backend.compiled(layer, [])(tensor))
moved = int((spikes != numpy.spikes[:, 0]).sum())
print("Keras:", 1e3 * np.abs(voltage - numpy.voltage[:, 0]).max(), "mV;", moved, "spikes moved")
"""
