"""Lookup, download and refusal, with small stand-ins of the real files on a local server."""

import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading

import numpy as np
import pytest

from kzoo.data import files, images, load_data
from kzoo.errors import DatasetUnavailable, KzooError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty Keras cache, and no folder or switch of the user's."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("KZOO_DATA_DIR", raising=False)
    monkeypatch.delenv("KZOO_OFFLINE", raising=False)
    return tmp_path / "keras" / "datasets"


@pytest.fixture
def server():
    """A web server of the bytes in `server.content`, which counts in `server.asked`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            web.asked.append(self.path)
            if web.silent:
                web.stop.wait(10)
                return
            content = web.content.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"") + web.missing))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *arguments):
            pass

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.content, web.asked, web.silent, web.missing, web.stop = {}, [], False, 0, threading.Event()
    web.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield web
    web.stop.set()
    web.shutdown()
    thread.join()
    web.server_close()


def serve(server, file, content):
    """Puts `content` on the server under the file's name, and returns the file that points there."""
    server.content["/" + file.path] = content
    return file._replace(url=f"{server.url}/{file.path}", sha256=hashlib.sha256(content).hexdigest())


def idx(array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape)
    return gzip.compress(header + array.tobytes())


def npz(arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def grey_images(n_train=40, n_test=20):
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (n_train, 28, 28), dtype=np.uint8),
        "y_train": (np.arange(n_train) % 10).astype(np.uint8),
        "x_test": rng.integers(0, 256, (n_test, 28, 28), dtype=np.uint8),
        "y_test": (np.arange(n_test) % 10).astype(np.uint8),
    }


@pytest.fixture
def mnist(server, monkeypatch):
    """A small MNIST on the server, whose arrays are taken for the real ones."""
    arrays = grey_images()
    monkeypatch.setattr(images, "MNIST", serve(server, images.MNIST, npz(arrays)))
    digest = hashlib.sha256()
    for name in ("x_train", "y_train", "x_test", "y_test"):
        digest.update(f"{name} |u1 {arrays[name].shape}".encode() + arrays[name].tobytes())
    monkeypatch.setattr(images, "MNIST_CONTENT", digest.hexdigest())
    return arrays


def test_mnist_is_downloaded_once_into_kerass_cache(mnist, server, cache):
    for _ in range(2):
        data = load_data("mnist", validation_fraction=0)
        np.testing.assert_array_equal(data.x_train[..., 0] * 255, mnist["x_train"])
        np.testing.assert_array_equal(data.y_test, mnist["y_test"])
    assert server.asked == ["/mnist.npz"]
    assert [path.name for path in cache.iterdir()] == ["mnist.npz"]


def test_an_archive_with_other_bytes_and_the_same_arrays_is_taken(mnist, server, tmp_path, monkeypatch):
    monkeypatch.setenv("KZOO_DATA_DIR", str(tmp_path))
    np.savez_compressed(tmp_path / "mnist.npz", **mnist)
    assert (tmp_path / "mnist.npz").read_bytes() != server.content["/mnist.npz"]
    assert load_data("mnist", validation_fraction=0).x_train.shape == (40, 28, 28, 1)
    assert server.asked == []


@pytest.mark.parametrize("change", ["pixel", "label", "dtype", "shape"])
def test_an_archive_with_other_arrays_is_refused_and_left_alone(mnist, server, cache, change):
    altered = {name: array.copy() for name, array in mnist.items()}
    if change == "pixel":
        altered["x_test"][3, 4, 5] ^= 1
    elif change == "label":
        altered["y_train"][0] = 9
    elif change == "dtype":
        altered["y_test"] = altered["y_test"].astype(np.int8)
    else:
        altered["x_train"] = altered["x_train"].reshape(40, 784)
    path = cache / "mnist.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(npz(altered))
    before = path.read_bytes()

    with pytest.raises(DatasetUnavailable) as caught:
        load_data("mnist")
    message = str(caught.value)
    assert message.startswith(f"{path} is refused: the sha256 of its arrays is ")
    assert images.MNIST_CONTENT in message
    assert f"`rm {path}`" in message
    assert path.read_bytes() == before
    assert server.asked == []


@pytest.mark.parametrize("kind", ["truncated", "empty", "text", "without labels", "pickled"])
def test_a_file_that_is_no_such_archive_is_refused(mnist, cache, kind):
    whole = npz(mnist)
    content = {
        "truncated": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"<html>not found</html>",
        "without labels": npz({"x_train": mnist["x_train"], "x_test": mnist["x_test"]}),
        "pickled": npz({**mnist, "y_test": np.array([{}, []], dtype=object)}),
    }[kind]
    path = cache / "mnist.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(DatasetUnavailable, match="is refused: it does not hold the arrays of MNIST") as caught:
        load_data("mnist")
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert images.MNIST.sha256 in str(caught.value)
    assert path.read_bytes() == content


def test_fashion_mnist_is_read_from_its_four_idx_files(server, cache, monkeypatch):
    arrays = grey_images()
    served = {part: serve(server, file, idx(arrays[part])) for part, file in images.FASHION_MNIST.items()}
    monkeypatch.setattr(images, "FASHION_MNIST", served)
    data = load_data("fashion_mnist", validation_fraction=0)
    np.testing.assert_array_equal(data.x_train[..., 0] * 255, arrays["x_train"])
    np.testing.assert_array_equal(data.x_test[..., 0] * 255, arrays["x_test"])
    np.testing.assert_array_equal(data.y_train, arrays["y_train"])
    np.testing.assert_array_equal(data.y_test, arrays["y_test"])
    assert data.class_names[9] == "Ankle boot"
    assert len(list((cache / "fashion-mnist").glob("*-ubyte.gz"))) == 4


def test_cifar10_is_read_from_the_binary_archive_without_unpacking_it(server, cache, monkeypatch):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 4, 32, 32, 3), dtype=np.uint8)  # six files of four images
    labels = rng.integers(0, 10, (6, 4), dtype=np.uint8)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        # In the real archive too the files are not in order.
        for i in (3, 5, 0, 1, 4, 2):
            name = "test_batch" if i == 5 else f"data_batch_{i + 1}"
            records = b"".join(
                bytes([label]) + b"".join(image[:, :, colour].tobytes() for colour in range(3))
                for label, image in zip(labels[i], pixels[i], strict=True)
            )
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(records)
            archive.addfile(member, io.BytesIO(records))
        archive.addfile(tarfile.TarInfo("cifar-10-batches-bin/readme.html"), io.BytesIO())
    monkeypatch.setattr(images, "CIFAR10", serve(server, images.CIFAR10, stream.getvalue()))

    data = load_data("cifar10", validation_fraction=0)
    np.testing.assert_array_equal(np.rint(data.x_train * 255), pixels[:5].reshape(20, 32, 32, 3))
    np.testing.assert_array_equal(np.rint(data.x_test * 255), pixels[5])
    np.testing.assert_array_equal(data.y_train, labels[:5].reshape(20))
    np.testing.assert_array_equal(data.y_test, labels[5])
    assert data.x_train.flags.c_contiguous
    assert [path.name for path in cache.iterdir()] == ["cifar-10-binary.tar.gz"]


FILE = files.RemoteFile("folder/some.bin", "http://127.0.0.1:9/some.bin", hashlib.sha256(b"right").hexdigest())


def test_the_users_folder_comes_before_kerass_cache(cache, tmp_path, monkeypatch):
    assert files.find(FILE) is None
    (cache / "folder").mkdir(parents=True)
    (cache / FILE.path).write_bytes(b"right")
    monkeypatch.setenv("KZOO_DATA_DIR", str(tmp_path / "mine"))
    assert files.obtain(FILE) == cache / FILE.path
    (tmp_path / "mine" / "folder").mkdir(parents=True)
    (tmp_path / "mine" / FILE.path).write_bytes(b"right")
    assert files.obtain(FILE) == tmp_path / "mine" / FILE.path


def test_without_keras_home_the_cache_is_that_of_keras(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = tmp_path / ".keras" / "datasets" / FILE.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"right")
    assert files.obtain(FILE) == path


def test_a_file_with_another_checksum_is_refused_with_what_to_type(server, cache, tmp_path, monkeypatch):
    file = serve(server, FILE, b"right")
    monkeypatch.setenv("KZOO_DATA_DIR", str(tmp_path / "my data"))
    path = tmp_path / "my data" / FILE.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"wrong")
    with pytest.raises(DatasetUnavailable) as caught:
        files.obtain(file)
    message = str(caught.value)
    assert f"{path} is refused" in message
    assert f"its sha256 is {hashlib.sha256(b'wrong').hexdigest()}, expected {file.sha256}" in message
    assert f"`rm '{path}'`" in message  # quoted, for its space
    assert file.url in message
    assert path.read_bytes() == b"wrong"
    assert server.asked == []


def assert_names_every_way_out(error, file, cache):
    message = str(error)
    assert isinstance(error, KzooError)
    assert file.url in message
    assert f"sha256 {file.sha256}" in message
    assert f"Put the file by hand at {cache / file.path}" in message
    assert "KZOO_DATA_DIR" in message
    assert "--data digits" in message


def test_an_unreachable_server_is_answered_with_every_way_out(cache):
    with pytest.raises(DatasetUnavailable, match="cannot be downloaded") as caught:
        files.obtain(FILE)  # nothing listens on port 9
    assert_names_every_way_out(caught.value, FILE, cache)


def test_a_missing_page_is_answered_with_every_way_out(server, cache):
    file = FILE._replace(url=f"{server.url}/nothing")
    with pytest.raises(DatasetUnavailable, match="404") as caught:
        files.obtain(file)
    assert_names_every_way_out(caught.value, file, cache)


def test_a_server_that_falls_silent_is_given_up_on(server, cache, monkeypatch):
    monkeypatch.setattr(files, "TIMEOUT", 0.2)
    server.silent = True
    file = serve(server, FILE, b"right")
    with pytest.raises(DatasetUnavailable, match="timed out") as caught:
        files.obtain(file)
    assert_names_every_way_out(caught.value, file, cache)


def test_a_tampered_download_is_refused_and_leaves_nothing_behind(server, cache):
    file = serve(server, FILE, b"right")
    server.content["/" + FILE.path] = b"wrong"
    with pytest.raises(DatasetUnavailable, match=hashlib.sha256(b"wrong").hexdigest()) as caught:
        files.obtain(file)
    assert_names_every_way_out(caught.value, file, cache)
    assert list((cache / "folder").iterdir()) == []


def test_a_download_cut_short_is_refused_and_leaves_nothing_behind(server, cache):
    file = serve(server, FILE, b"right")
    server.missing = 100
    with pytest.raises(DatasetUnavailable) as caught:
        files.obtain(file)
    assert_names_every_way_out(caught.value, file, cache)
    assert list((cache / "folder").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_answered_with_every_way_out(server, cache):
    file = serve(server, FILE, b"right")
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    with pytest.raises(DatasetUnavailable) as caught:
        files.obtain(file)
    assert_names_every_way_out(caught.value, file, cache)


def test_offline_no_download_is_tried(server, cache, monkeypatch):
    file = serve(server, FILE, b"right")
    monkeypatch.setenv("KZOO_OFFLINE", "1")
    with pytest.raises(DatasetUnavailable, match="KZOO_OFFLINE is set") as caught:
        files.obtain(file)
    assert_names_every_way_out(caught.value, file, cache)
    assert server.asked == []
    monkeypatch.setenv("KZOO_OFFLINE", "0")
    assert files.obtain(file).read_bytes() == b"right"


def test_a_path_that_cannot_be_read_is_answered_in_one_sentence(cache):
    (cache / FILE.path).mkdir(parents=True)
    with pytest.raises(DatasetUnavailable, match=r"Cannot read .*some.bin .* move it away and run this again"):
        files.obtain(FILE)
