"""The checks of kzoo; `nox` runs them all, `nox -l` lists them, `nox -s "tests(jax)"` runs one.

Each session of `tests` and `pages` installs one backend and no other, so that code which needs a second one fails.
"""

import nox

BACKENDS = ("jax", "torch", "tensorflow")

# The full suites come last: their closing lines are the ones to read. The chapters and the demos run on one backend
# here, to keep the whole within an hour; CI runs them on each.
nox.options.sessions = ["lint", "bio", "parity", "notebooks(jax)", "pages(torch)", "tests"]
# XLA of JAX and TensorFlow compiles hundreds of small programs for these tests, each of which runs once: without its
# optimisation that takes half the time. The sessions parity and notebooks run what XLA makes by itself.
UNOPTIMISED = {"XLA_FLAGS": "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"}
# pip, not uv: uv does not read pip's own settings for extra indexes and folders of wheels.
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = True


@nox.session
def lint(session):
    """Formatting, lint, and the directions of imports."""
    session.install("-c", "constraints.txt", "ruff", "pytest")
    session.install("--no-deps", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    pytest(session, "--noconftest", "tests/test_architecture.py")


@nox.session
def bio(session):
    """The simulated neurons, with Brian2 and without any backend of Keras."""
    session.install("-c", "constraints.txt", ".[test,bio]")
    pytest(session, "-n", "2", "--dist", "loadfile", "tests/bio")


@nox.session
def parity(session):
    """The three backends, installed side by side, give the same numbers."""
    session.install("-c", "constraints.txt", f".[test,peers,{','.join(BACKENDS)}]")
    pytest(session, "tests/parity", "tests/convert/test_nir.py")


@nox.session
@nox.parametrize("backend", BACKENDS, ids=BACKENDS)
def tests(session, backend):
    """The whole suite with one backend, which kzoo has to find by itself; the demos and the simulated neurons apart."""
    alone(session, backend)
    # A file at a time on each of two processes, so that what a file shares is made once; in their own order, since a
    # file of few long tests would be the last otherwise, with one process idle.
    side_by_side = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
    apart = ("tests/demos", "tests/test_demo_command.py", "tests/bio")
    pytest(session, *side_by_side, *(f"--ignore={path}" for path in apart), **UNOPTIMISED)


@nox.session
@nox.parametrize("backend", BACKENDS, ids=BACKENDS)
def pages(session, backend):
    """The demos and their command with one backend, in a browser, if one is here."""
    alone(session, backend)
    pytest(session, "-n", "2", "--dist", "loadfile", "tests/demos", "tests/test_demo_command.py")


def alone(session, backend):
    """Installs one backend and no other."""
    session.install("-c", "constraints.txt", f".[test,bio,demos,browser,{backend}]")
    found = session.run("python", "-c", "from kzoo.backend import installed; print(*installed())", silent=True)
    if found.split() != [backend]:
        session.error(f"this session is for {backend} alone, but its environment has: {found}")


@nox.session
@nox.parametrize("backend", BACKENDS, ids=BACKENDS)
def notebooks(session, backend):
    """Every chapter runs with one backend, with the solution of each exercise behind it."""
    session.install("-c", "constraints.txt", f".[test,bio,notebooks,{backend}]")
    pytest(session, "tests/notebooks")
    # Copies with the solutions hold every cell of the chapters: these need not run once more by themselves.
    solved = f"{session.create_tmp()}/solutions"
    session.run("python", "notebooks/build.py", "--solutions", solved)
    # Offline, as a reader may be; nbmake's limit is one for each cell, in seconds.
    # One thread: torch's wait for one another when another process holds a core, and then a minute becomes ten.
    quick = {"KERAS_BACKEND": None, "KZOO_FAST": "1", "KZOO_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    session.run("pytest", "--nbmake", "--nbmake-timeout=300", "-n", "2", solved, *session.posargs, env=quick)


def pytest(session, *arguments, **environment):
    # None takes a variable away: the choice of the backend is under test, too. One thread: see notebooks.
    environment |= {"KERAS_BACKEND": None, "OMP_NUM_THREADS": "1"}
    session.run("pytest", *arguments, *session.posargs, env=environment)
