"""What a careless or hostile client may send to each app, through every event that it has, private ones too.

Each call is answered by a result or by one clear line; no traceback is shown, no file outside the app's folder is
opened, no other machine is asked for anything, and the app still answers afterwards. `KZOO_SLOW=1` sends everything:
at least 300 calls over all apps; without it a sample is sent.
"""

import json
import os
import random
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pytest

APPS = sorted(path.stem for path in (Path(__file__).parents[2] / "demos").glob("*_app.py"))
FULL = bool(os.environ.get("KZOO_SLOW"))
CALLS, CALLS_WANTED = {}, 300
ABROAD = "http://kzoo.invalid/picture.png"

# What Python says of its own accord when nobody checked the input.
UNCLEAR = re.compile(
    r"object is not|unsupported operand|has no attribute|not supported between|out of range for|index out of|"
    r"invalid literal|could not convert|unhashable|missing \d+ required|argument must be|NoneType|KeyError|"
    r"The demo itself failed|Internal Server Error|cannot unpack|not enough values|too many values",
    re.IGNORECASE,
)
LEAKED = re.compile(r'Traceback|File "|site-packages|line \d+, in |root:x:0')

# What Gradio says before an app's own checks are asked: it names the input, what came and what was expected. It quotes
# the sender's text in full, to the sender alone.
GRADIOS_OWN = re.compile(
    r"is not in the list of choices|Expected an? `|was not uploaded by a user|(greater|less) than (the )?(max|min)imum|"
    r"validation error for FileData|receive enough input values"
)


def _file(path: str, **more) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def hostile_values(secret: Path) -> list:
    """Values that no control sends. `secret` is a file that the app has no business with."""
    script = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    return [
        *(None, True, -1, 10**30, 1.5, float("nan"), float("inf"), float("-inf"), -1e308),
        *(
            "",
            "no such choice",
            "9" * 500,
            "x" * 200_000,
            script,
            "{{7*7}}${7*7}",
            "\x00\r\n\u202e",
            "'; DROP TABLE x;--",
        ),
        *("../../etc/passwd", "/etc/passwd", str(secret), ABROAD),
        *([], [None], [[]], [1, "a", None], [[1, 2], [3]], [float("nan")] * 784, list(range(100_000))),
        *([[0.5] * 28] * 28, [[0.5] * 500] * 500, [[[[[[[[1]]]]]]]], [[1e9, 1e9]] * 300, [script] * 50),
        *({}, {"a": 1}, {"data": [[1, 2]], "headers": ["x", script]}, {"__class__": "x"}, {"value": float("nan")}),
        *(_file("/etc/passwd"), _file("../../etc/passwd"), _file(str(secret)), _file("")),
        *(_file("x.png", url="file:///etc/passwd"), _file(ABROAD, url=ABROAD), {"path": 5, "meta": None}),
        *({"background": _file("/etc/passwd"), "layers": [], "composite": None}, "data:image/png;base64,AAAA"),
    ]


class Client:
    """Speaks to Gradio's queue directly, so that every event can be reached and nothing is put right on the way."""

    def __init__(self, url: str):
        self.url = url
        with urllib.request.urlopen(f"{url}/config", timeout=30) as answer:
            config = json.load(answer)
        self.defaults = {part["id"]: part["props"].get("value") for part in config["components"]}
        self.kinds = {part["id"]: part["type"] for part in config["components"]}
        self.events = [event for event in config["dependencies"] if event["backend_fn"]]

    def call(self, event: int, data, limit: int = 12) -> tuple[bool, str]:
        """Sends one event; returns whether it went well and all that came back, at most `limit` messages of it."""
        session = uuid.uuid4().hex
        body = (
            data if isinstance(data, bytes) else json.dumps({"data": data, "fn_index": event, "session_hash": session})
        )
        request = urllib.request.Request(
            f"{self.url}/gradio_api/queue/join",
            body if isinstance(body, bytes) else body.encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60):
                pass
        except urllib.error.HTTPError as refused:
            return False, refused.read().decode(errors="replace")
        received = []
        address = f"{self.url}/gradio_api/queue/data?session_hash={session}"
        with urllib.request.urlopen(address, timeout=60) as stream:
            for line in stream:
                if not line.startswith(b"data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    return message["success"], json.dumps(message["output"])
                if message["msg"] == "process_generating":
                    received.append(json.dumps(message["output"]))
                    if len(received) >= limit:  # a training under way: the client leaves
                        return True, "".join(received)
                if message["msg"] in ("unexpected_error", "close_stream"):
                    return False, json.dumps(message)
        return False, "".join(received)

    def default(self, event) -> list:
        return [self.defaults.get(part) for part in event["inputs"]]


def complaint(well: bool, answer: str, secret: str) -> str | None:
    """What is wrong with an answer, if anything."""
    if LEAKED.search(answer) or secret in answer:
        return "shows what it should not"
    if well:
        return None
    try:
        parts = json.loads(answer)
    except ValueError:
        return "is no JSON"
    text = parts.get("error") or parts.get("detail") or parts.get("message")
    if isinstance(text, list):  # FastAPI's list of what is wrong with a body
        text = "; ".join(f"{one['loc']}: {one['msg']}" for one in text)
    if isinstance(text, str) and GRADIOS_OWN.search(text):
        return None
    if not isinstance(text, str) or not 8 <= len(text) <= 600:
        return "has no message of a readable length"
    if UNCLEAR.search(text):
        return "is Python's own wording"
    if re.search(r"<(script|img)", text, re.IGNORECASE):
        return "hands HTML back"
    return None


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    path.write_text("the-secret-of-another-visitor")
    return path


@pytest.mark.parametrize("name", APPS)
def test_the_watch_sees_what_the_app_opens(name, apps):
    opened = [path for what, path in apps(name).events() if what == "open"]
    assert any(path.endswith(f"{name}.py") for path in opened), "else the tests below would see nothing either"


@pytest.mark.parametrize("name", APPS)
def test_malformed_calls_get_a_clear_message(name, apps, secret):
    app = apps(name)
    client = Client(app.url)
    before = len(app.events())
    values = hostile_values(secret)
    calls = []
    for event in client.events:
        default = client.default(event)
        for place, part in enumerate(event["inputs"]):
            if client.kinds[part] == "state":
                continue  # the server keeps these to itself: what a client sends in their place is not read
            for value in values:
                calls.append((event, [*default[:place], value, *default[place + 1 :]], f"input {place}"))
        calls.append((event, [*default, 1, 2, 3], "three values too many"))
        calls.append((event, default[:-1], "a value too few"))
        calls.append((event, "text", "no list"))
    random.Random(0).shuffle(calls)
    calls = calls[: 400 if FULL else 40]
    faults = []
    for event, data, where in calls:
        well, answer = client.call(event["id"], data)
        wrong = complaint(well, answer, "the-secret-of")
        if wrong:
            sent = repr(data[int(where[6:])] if where.startswith("input") else data)
            faults.append(f"{event['api_name']} {where} = {sent[:70]}: the answer {wrong}: {answer[:200]}")
    CALLS[name] = len(calls)
    _nothing_else_was_touched(app.events()[before:], secret)
    assert not faults, f"{len(faults)} of {len(calls)}:\n" + "\n".join(sorted(faults))
    _still_answers(client)


@pytest.mark.parametrize("name", APPS)
def test_broken_requests_are_refused_and_harm_nothing(name, apps, secret):
    app = apps(name)
    client = Client(app.url)
    before = len(app.events())
    bodies = [b"", b"{", b"[]", b"null", b'{"data": 1}', b'{"data": [], "fn_index": 999999, "session_hash": "x"}']
    bodies += [b'{"data": [], "fn_index": "0", "session_hash": {}}', b"\xff\xfe\x00", b'{"data": [1], "fn_index": -1}']
    for body in bodies:
        well, answer = client.call(0, body)
        assert not well
        assert not LEAKED.search(answer), answer
    for path in ("/etc/passwd", "../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", str(secret), "kzoo/cli.py"):
        for route in ("/gradio_api/file=", "/file=", "/gradio_api/proxy=", "/static/", "/assets/", "/theme/"):
            status, answer = _get(app.url + route + path)
            assert status >= 300, f"{route}{path} was served"
            assert not LEAKED.search(answer)
            assert "the-secret-of" not in answer
    status, answer = _get(f"{app.url}/gradio_api/call/no_such_event", b'{"data": []}')
    assert status >= 400
    assert not LEAKED.search(answer)
    _nothing_else_was_touched(app.events()[before:], secret)
    _still_answers(client)


@pytest.mark.parametrize("name", APPS)
def test_an_upload_beyond_the_limit_is_refused_and_html_is_never_shown_as_a_page(name, apps):
    app = apps(name)
    status, answer = _upload(app.url, "big.png", b"\x89PNG" + bytes(3_000_000))
    assert status == 413, answer
    status, answer = _upload(app.url, "page.html", b"<script>alert(1)</script>")
    if status == 200:
        with urllib.request.urlopen(f"{app.url}/gradio_api/file={json.loads(answer)[0]}", timeout=30) as page:
            assert page.headers.get_content_disposition() == "attachment" or "html" not in page.headers["Content-Type"]
    status, answer = _upload(app.url, "../../../../tmp/kzoo-escaped.png", b"x")
    assert not Path("/tmp/kzoo-escaped.png").exists()
    _still_answers(Client(app.url))


@pytest.mark.skipif(not FULL, reason="KZOO_SLOW=1 sends them all")
def test_at_least_300_malformed_calls_were_sent():
    assert sum(CALLS.values()) >= CALLS_WANTED, CALLS


def _nothing_else_was_touched(events, secret):
    opened = {path for what, path in events if what == "open"}
    assert str(secret) not in opened
    assert not {path for path in opened if path.endswith("/passwd") or path == "../../etc/passwd"}
    called = {address for what, address in events if what == "connect"}
    assert called <= {"127.0.0.1", "localhost", "::1"}, "another machine was asked"


def _still_answers(client):
    with urllib.request.urlopen(f"{client.url}/config", timeout=30) as answer:
        assert answer.status == 200


def _get(address: str, body: bytes | None = None) -> tuple[int, str]:
    """Status and text; a redirect counts as itself, not as what it leads to."""
    parts = urllib.parse.urlsplit(address)
    import http.client

    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request("POST" if body else "GET", parts.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, text


def _upload(url: str, name: str, content: bytes) -> tuple[int, str]:
    edge = uuid.uuid4().hex
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    body = head + content + f"\r\n--{edge}--\r\n".encode()
    request = urllib.request.Request(
        f"{url}/gradio_api/upload", body, {"Content-Type": f"multipart/form-data; boundary={edge}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(errors="replace")
