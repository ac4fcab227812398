import importlib.metadata
import io
import json
import os
import subprocess
import sys
from collections import namedtuple

import pytest
from rich.console import Console

from kzoo import backend, doctor, errors
from kzoo.cli import main
from kzoo.errors import install_command

FIRST, SECOND, THIRD = backend.NAMES


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with every backend, none of which is really started; each test takes things away from it."""
    monkeypatch.setattr(backend, "installed", lambda: list(backend.NAMES))
    monkeypatch.setattr(doctor, "_started", lambda name: doctor.Finding(name, "ok", "1.0, devices: cpu:0"))
    # The tests themselves may have imported Keras, which would decide the choice.
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for variable in ("KERAS_BACKEND", "KZOO_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def without(machine, *names):
    machine.setattr(backend, "installed", lambda: [name for name in backend.NAMES if name not in names])


def versions(machine, **pinned):
    """Pins the versions of some distributions; None takes one away."""
    real = importlib.metadata.version

    def version(name):
        if name in pinned and pinned[name] is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return pinned.get(name) or real(name)

    machine.setattr(importlib.metadata, "version", version)


def about(topic):
    return [finding for finding in doctor.report() if finding.topic == topic]


def test_a_machine_with_everything_has_its_versions_and_one_chosen_backend(machine):
    (keras,) = about("Keras")
    assert (keras.status, keras.text) == ("ok", importlib.metadata.version("keras"))
    (chosen,) = about("backend")
    assert chosen.status == "ok"
    assert chosen.text == f"{FIRST}: the first that is installed of {', '.join(backend.NAMES)}"
    assert [about(name)[0].status for name in backend.NAMES] == ["ok"] * 3


def test_without_any_backend_the_report_says_what_to_type(machine):
    without(machine, *backend.NAMES)
    (chosen,) = about("backend")
    assert chosen.status == "missing"
    assert chosen.remedy == install_command(FIRST)
    for name in backend.NAMES:
        (finding,) = about(name)
        assert (finding.status, finding.remedy) == ("missing", install_command(name))


def test_a_clone_is_told_to_install_itself_and_an_installation_by_its_name(machine, tmp_path):
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "pyproject.toml").touch()
    machine.setattr(errors, "__file__", str(clone / "kzoo" / "errors.py"))
    machine.chdir(clone)
    assert install_command(FIRST) == f'pip install -e ".[{FIRST}]"'
    machine.chdir(tmp_path)
    assert install_command(FIRST) == f'pip install -e "{clone}[{FIRST}]"'
    machine.setattr(errors, "__file__", str(tmp_path / "site-packages" / "kzoo" / "errors.py"))
    assert install_command(FIRST) == f'pip install "kzoo[{FIRST}]"'


def test_a_machine_trains_where_keras_and_the_chosen_backend_work_whatever_else_is_missing(machine):
    assert doctor.works(doctor.report())
    versions(machine, gradio=None)
    without(machine, SECOND)
    assert doctor.works(doctor.report())
    versions(machine, keras=None)
    assert not doctor.works(doctor.report())


def test_a_machine_does_not_train_where_the_chosen_backend_is_absent_or_does_not_start(machine):
    machine.setenv("KERAS_BACKEND", SECOND)
    machine.setattr(doctor, "_started", lambda name: doctor.Finding(name, "note" if name == SECOND else "ok", ""))
    assert not doctor.works(doctor.report())
    without(machine, SECOND)
    assert not doctor.works(doctor.report())
    without(machine, *backend.NAMES)
    assert not doctor.works(doctor.report())


def test_a_keras_json_that_loses_to_the_variable_stops_no_training(machine, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": SECOND}))
    machine.setenv("KERAS_BACKEND", THIRD)
    assert [finding.status for finding in about("backend")] == ["ok", "note"]
    assert doctor.works(doctor.report())


def test_the_exit_code_of_doctor_says_whether_training_works(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "report", list)
    for answer, code in ((True, 0), (False, 1)):
        monkeypatch.setattr(doctor, "works", lambda findings, answer=answer: answer)
        assert main(["doctor"]) == code
        assert ("Nothing can be trained" in capsys.readouterr().out) == (code == 1)


def test_a_folder_that_bears_a_backends_name_is_no_backend(monkeypatch, tmp_path):
    (tmp_path / "kzoo_no_backend").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(backend, "NAMES", ("kzoo_no_backend", "json"))
    assert backend.installed() == ["json"]


def test_a_variable_that_names_an_absent_backend_is_noted(machine):
    without(machine, SECOND)
    machine.setenv("KERAS_BACKEND", SECOND)
    (chosen,) = about("backend")
    assert chosen.status == "note"
    assert f"{SECOND} was chosen by KERAS_BACKEND and is not installed" in chosen.text
    assert chosen.remedy == f"export KERAS_BACKEND={FIRST}   or   {install_command(SECOND)}"


def test_a_variable_that_names_no_backend_of_kzoo_is_noted(machine):
    machine.setenv("KERAS_BACKEND", "theano")
    (chosen,) = about("backend")
    assert (chosen.status, chosen.remedy) == ("note", f"export KERAS_BACKEND={FIRST}")
    assert "'theano'" in chosen.text


def test_the_reason_is_the_variable_where_the_user_set_it(machine):
    machine.setenv("KERAS_BACKEND", THIRD)
    assert about("backend")[0].text == f"{THIRD}: the variable KERAS_BACKEND says so"


def test_the_reason_is_not_the_variable_where_importing_kzoo_set_it(machine):
    backend.prepare()
    assert os.environ["KERAS_BACKEND"] == FIRST
    assert "the first that is installed" in about("backend")[0].text
    assert os.environ["KERAS_BACKEND"] == FIRST


def test_the_reason_is_keras_json_where_it_names_another_than_the_first(machine, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": SECOND}))
    assert about("backend")[0].text == f"{SECOND}: keras.json says so"


def test_a_keras_json_that_disagrees_with_the_variable_is_noted(machine, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": SECOND}))
    machine.setenv("KERAS_BACKEND", THIRD)
    chosen, note = about("backend")
    assert chosen.status == "ok"
    assert note.status == "note"
    assert f"names '{SECOND}', KERAS_BACKEND {THIRD}: the variable wins" in note.text


@pytest.mark.parametrize("content", ["{", "[]", "\N{SNOWMAN}"])
def test_a_keras_json_that_cannot_be_read_is_passed_over(machine, tmp_path, content):
    (tmp_path / "keras.json").write_text(content, encoding="utf-8")
    assert [finding.status for finding in about("backend")] == ["ok"]


@pytest.mark.parametrize(("version", "status"), [("3.14.9", "note"), ("2.15.0", "note"), ("3.15.0", "ok")])
def test_a_keras_that_is_too_old_is_noted(machine, version, status):
    versions(machine, keras=version)
    (keras,) = about("Keras")
    assert keras.status == status
    assert keras.remedy == ("" if status == "ok" else 'pip install "keras>=3.15,<4"')


def test_an_absent_keras_is_missing(machine):
    versions(machine, keras=None)
    assert about("Keras")[0].status == "missing"


PythonVersion = namedtuple("PythonVersion", "major minor micro")


@pytest.mark.parametrize(
    ("python", "numpy", "noted"),
    [((3, 11, 7), "2.4.0", True), ((3, 11, 7), "2.3.9", False), ((3, 13, 0), "2.4.0", False)],
)
def test_brian2_beside_a_numpy_too_new_for_it_is_noted_on_python_311(machine, python, numpy, noted):
    versions(machine, brian2="2.9.0", numpy=numpy)
    machine.setattr(sys, "version_info", PythonVersion(*python))
    notes = [finding for finding in about("brian2") if finding.status == "note"]
    assert bool(notes) == noted
    assert all(note.remedy == 'pip install "numpy<2.4"' for note in notes)


def test_each_optional_package_says_what_it_is_for(machine):
    versions(machine, gradio=None, onnx="1.2.3", brian2=None)
    (gradio,), (onnx,), (brian2,) = about("gradio"), about("onnx"), about("brian2")
    assert (gradio.status, gradio.text) == ("missing", "optional, for the live demos")
    assert gradio.remedy.startswith("pip install")
    assert brian2.remedy == install_command("bio")  # as the simulator says
    assert (onnx.status, onnx.text, onnx.remedy) == ("ok", "1.2.3, for exporting models", "")


def test_a_machine_without_compiler_and_graphviz_is_told_so(machine):
    machine.setattr(doctor.shutil, "which", lambda name: None)
    assert {about(tool)[0].status for tool in ("C++ compiler", "make", "graphviz")} == {"missing"}


def test_folders_are_listed_by_file_name_and_a_wrong_one_is_noted(machine, tmp_path):
    assert "not made yet" in about("data cache")[0].text
    for index in range(14):
        (tmp_path / f"set{index:02}.npz").write_text("content")
    machine.setenv("KZOO_DATA_DIR", str(tmp_path))
    (data,) = about("KZOO_DATA_DIR")
    assert data.text.startswith(f"{tmp_path}: set00.npz, set01.npz")
    assert data.text.endswith("set11.npz and 2 more")
    machine.setenv("KZOO_DATA_DIR", str(tmp_path / "absent"))
    (data,) = about("KZOO_DATA_DIR")
    assert (data.status, "is not a folder" in data.text) == ("note", True)


def test_no_other_variable_of_the_environment_is_shown(machine):
    machine.setenv("HF_TOKEN", "hf_secret")
    assert "hf_secret" not in repr(doctor.report())


def ask(machine, name, code):
    machine.setattr(doctor, "_ASK_DEVICES", code)
    return doctor._started(name)


def test_devices_come_from_a_process_of_their_own(monkeypatch):
    code = "import json, os; print('noise'); print(json.dumps([os.environ['KERAS_BACKEND']]))"
    finding = ask(monkeypatch, FIRST, code)
    assert finding.status == "ok"
    assert finding.text.endswith(f"devices: {FIRST}")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("raise ImportError('libcudnn.so.9 is not there')", "does not start: ImportError: libcudnn.so.9"),
        ("import os; os._exit(3)", "does not start: exit code 3"),
        ("print('no json')", "does not start"),
    ],
)
def test_a_backend_that_does_not_start_is_noted_with_its_last_words(monkeypatch, code, text):
    finding = ask(monkeypatch, FIRST, code)
    assert finding.status == "note"
    assert text in finding.text
    assert finding.remedy.startswith("pip install --force-reinstall ")
    assert f'[{FIRST}]"' in finding.remedy


def test_a_backend_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "DEVICE_TIMEOUT", 0.5)
    finding = ask(monkeypatch, FIRST, "import time; time.sleep(60)")
    assert (finding.status, "did not start within 0.5 s" in finding.text) == ("note", True)


def test_the_backend_of_these_tests_reports_a_cpu_or_more(backend):
    finding = doctor._started(backend)
    assert finding.status == "ok", finding.text
    assert ":0" in finding.text


def test_the_report_imports_neither_keras_nor_a_backend():
    code = (
        "import sys; from kzoo import backend, doctor; doctor._started = lambda name: None; doctor.report()\n"
        "sys.exit(str({'keras', *backend.NAMES} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == ""


def test_the_table_shows_every_finding_with_its_remedy_unchanged():
    findings = [
        doctor.Finding("backend", "missing", "none", f'pip install "kzoo[{FIRST}]"'),
        doctor.Finding("Keras", "ok", "3.15.1"),
        doctor.Finding("brian2", "note", "too old"),
    ]
    stream = io.StringIO()
    doctor.render(findings, Console(file=stream, width=80))
    shown = stream.getvalue()
    # rich would swallow the brackets, were they taken for markup.
    assert f'> pip install "kzoo[{FIRST}]"\n' in "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"
    assert all(finding.text in shown for finding in findings)
    assert "1 ok, 1 to note, 1 not there" in shown


def test_a_finding_refuses_another_status():
    with pytest.raises(ValueError, match="received 'bad'"):
        doctor.Finding("topic", "bad", "text")
