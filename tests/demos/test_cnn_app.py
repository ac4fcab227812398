"""The CNN's demo: what it computes against other routes, the code that it shows, and the page in a browser."""

import contextlib
import io
import itertools
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kzoo

cnn_app = pytest.importorskip("cnn_app")
import digits  # noqa: E402
import gradio as gr  # noqa: E402
import keras  # noqa: E402
import pad  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return kzoo.from_preset("cnn_mnist")


@pytest.fixture(scope="module")
def five():
    """The 28 x 28 input of the example 5."""
    return digits.prepare(pad.decode(digits.example("5"))).image


def says(image) -> int:
    return int(np.argmax(cnn_app.activations(cnn_app._model(), image)["logits"]))


def moved(strokes, x, y, size):
    """Strokes drawn smaller, about another middle."""
    return [[(x + size * (a - 0.5), y + size * (b - 0.5)) for a, b in stroke] for stroke in strokes]


# --- the pad's text ------------------------------------------------------------------------------------------------


def test_a_drawing_survives_its_text():
    noise = np.random.default_rng(0).integers(0, 4, (pad.SIZE, pad.SIZE)) / 3
    assert np.allclose(pad.decode(pad.encode(noise)), noise, atol=1e-6)
    for name in digits.EXAMPLES:
        text = digits.example(name)
        assert pad.encode(pad.decode(text)) == text
        assert len(text) < 600, "a drawing has to fit into a link"
    assert pad.encode(np.zeros((pad.SIZE, pad.SIZE))) == ""
    assert not pad.decode("").any()
    assert pad.decode(pad.encode(np.ones((pad.SIZE, pad.SIZE)))).all()


@pytest.mark.parametrize("text", [None, 3, b"", "AAAA", "<b>", "ä" * 8, "A" * 6000, "../../etc/passwd", "A"])
def test_what_is_no_drawing_is_refused_in_one_sentence(text):
    with pytest.raises(ValueError, match="expected a text that this pad writes") as caught:
        pad.decode(text)
    assert "\n" not in str(caught.value)
    if text is not None:  # no drawing at all counts as an empty pad
        with pytest.raises(gr.Error, match="expected a text that this pad writes"):
            cnn_app.classify(text)


# --- MNIST's convention --------------------------------------------------------------------------------------------


def test_a_drawing_is_scaled_into_its_box_and_centred_on_its_mass():
    rows = np.arange(28)
    for name, strokes in digits.EXAMPLES.items():
        for x, y, size in ((0.5, 0.5, 1.0), (0.3, 0.35, 0.5), (0.7, 0.6, 0.6)):
            image, (top, left, height, width) = digits.prepare(pad.rasterise(moved(strokes, x, y, size)))
            assert max(height, width) == 20, name
            assert not np.delete(image, np.s_[top : top + height], axis=0).any()
            assert not np.delete(image, np.s_[left : left + width], axis=1).any()
            assert image.max() == 1
            middle = image.sum(axis=1) @ rows / image.sum(), image.sum(axis=0) @ rows / image.sum()
            # Whole pixels leave half a pixel; 14 is where MNIST's own digits have their centre of mass.
            assert np.abs(np.array(middle) - 14).max() < 0.52, (name, middle)


def test_where_a_digit_is_drawn_does_not_matter():
    ink = pad.rasterise(digits.EXAMPLES["2"])
    expected = digits.prepare(ink).image
    for down, right in ((-6, 5), (7, -12), (3, 3)):
        assert np.array_equal(digits.prepare(np.roll(ink, (down, right), axis=(0, 1))).image, expected)


def test_an_empty_pad_gives_an_empty_input_and_no_answer():
    assert not digits.prepare(np.zeros((64, 64))).image.any()
    answer, _ = cnn_app.classify("")
    assert "Draw a digit" in answer
    assert 'class="best"' not in answer
    assert all(isinstance(part, str) for part in cnn_app.explain("", "conv_1_1", 0, 0, 0, "answer"))


@pytest.mark.parametrize("name", digits.CLASSES)
def test_every_example_is_recognised_wherever_it_is_and_however_large(name):
    for x, y, size in ((0.5, 0.5, 1.0), (0.35, 0.4, 0.55), (0.6, 0.6, 0.7)):
        drawing = pad.decode(pad.encode(pad.rasterise(moved(digits.EXAMPLES[name], x, y, size))))
        assert says(digits.prepare(drawing).image) == int(name)


def test_real_handwriting_is_recognised_through_the_pad():
    from sklearn.datasets import load_digits

    data = load_digits()
    right = 0
    for image, label in zip(data.images[:200], data.target[:200], strict=True):
        large = Image.fromarray(np.uint8(image * 15.9)).resize((44, 44), Image.Resampling.BICUBIC)
        drawing = np.pad(np.asarray(large) / 255, 10)
        right += says(digits.prepare(pad.decode(pad.encode(drawing))).image) == label
    # Eight by eight pixels of other writers, which the network has never seen.
    assert right >= 180


def test_mnist_itself_comes_through_the_pad_unharmed():
    try:
        data = kzoo.load_data("mnist", validation_fraction=0.0)
    except kzoo.KzooError as error:
        pytest.skip(f"MNIST is not on this machine: {error}")
    rng = np.random.default_rng(0)
    right = 0
    for image, label in zip(data.x_test[:300, :, :, 0], data.y_test[:300], strict=True):
        side = int(rng.integers(36, 62))
        top, left = rng.integers(0, 64 - side + 1, 2)
        drawing = np.zeros((64, 64))
        large = Image.fromarray(np.uint8(255 * image)).resize((side, side), Image.Resampling.BICUBIC)
        drawing[top : top + side, left : left + side] = np.asarray(large) / 255
        right += says(digits.prepare(pad.decode(pad.encode(drawing))).image) == label
    assert right >= 295


# --- what is inside the network ------------------------------------------------------------------------------------


def test_the_maps_are_those_that_the_model_names(model, five):
    expected = model.activations(five[None, :, :, None])
    found = cnn_app.activations(model, five)
    assert set(found) <= set(expected)
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name][0], atol=2e-4, err_msg=name)


def test_the_sum_of_one_pixel_is_the_models_own(model, five):
    maps = model.activations(five[None, :, :, None])["relu_1_1"][0]
    sums = model.activations(five[None, :, :, None])["conv_1_1"][0]
    rng = np.random.default_rng(1)
    for filter, row, column in zip(rng.integers(0, 32, 40), *rng.integers(0, 26, (2, 40)), strict=True):
        step = cnn_app.one_step(model, five, int(filter), int(row), int(column))
        assert step.total == pytest.approx(sums[row, column, filter], abs=1e-5)
        assert step.value == pytest.approx(maps[row, column, filter], abs=1e-4)


def test_saliency_is_the_slope_of_the_score(model, five):
    rng = np.random.default_rng(2)
    # On blank paper neighbours are equal, and the slope of a maximum of equals depends on the side one comes from.
    image = 0.7 * five + 0.3 * rng.random((28, 28), np.float32)
    gradient = cnn_app.saliency(model, image, 5)
    # Along a direction, so that the rounding of float32 does not drown the slope of a single pixel.
    for _ in range(5):
        direction = rng.standard_normal((28, 28)).astype(np.float32)
        high, low = (cnn_app.activations(model, image + h * direction)["logits"][5] for h in (5e-4, -5e-4))
        assert (high - low) / 1e-3 == pytest.approx(
            (gradient * direction).sum(), abs=0.06 * float(np.linalg.norm(gradient))
        )


def test_grad_cam_weighs_each_map_by_the_slope_of_the_score(model, five):
    maps = cnn_app.activations(model, five)["relu_2_2"]
    head = keras.Model(model.get_layer("relu_2_2").output, model.output)

    def score(values):
        return float(keras.ops.convert_to_numpy(head(values[None], training=False))[0, 5])

    weights = np.zeros(64)
    for k in range(64):
        up, down = maps.copy(), maps.copy()
        up[:, :, k] += 1e-2
        down[:, :, k] -= 1e-2
        weights[k] = (score(up) - score(down)) / 2e-2 / 64
    expected = np.maximum(maps @ weights, 0)
    found = cnn_app.grad_cam(model, maps, 5)
    assert found.shape == (8, 8)
    np.testing.assert_allclose(found, expected, atol=0.08 * expected.max())


def test_a_cell_of_the_last_maps_sees_what_the_page_says(model):
    first, step, width = cnn_app.sight(model, "relu_2_2")
    assert (first, step, width) == (6.5, 2, 14)
    blank = np.zeros((28, 28), np.float32)
    before = cnn_app.activations(model, blank)["relu_2_2"]
    seen = np.zeros(28, bool)  # does cell (2, 2) notice a pixel of this row?
    for row in range(28):
        dot = blank.copy()
        dot[row, 4:18] = 1
        seen[row] = np.abs(cnn_app.activations(model, dot)["relu_2_2"][2, 2] - before[2, 2]).max() > 1e-6
    assert np.flatnonzero(seen)[0] >= first + 2 * step - width / 2
    assert np.flatnonzero(seen)[-1] <= first + 2 * step + width / 2
    assert seen.sum() >= 12


def test_a_map_laid_over_the_input_keeps_its_places():
    cam = np.zeros((8, 8))
    cam[2, 5] = 1
    laid = cnn_app.spread(cam, 6.5, 2, 14)
    rows, columns = np.nonzero(laid == laid.max())
    assert rows.mean() == 10.5
    assert columns.mean() == 16.5
    assert np.allclose(cnn_app.spread(np.ones((8, 8)), 6.5, 2, 14)[7:20, 7:20], 1)


# --- a visitor's picture -------------------------------------------------------------------------------------------


def photograph(name: str, *, paper: int, ink: int, shadow: bool = False) -> Image.Image:
    """A digit on a wide sheet, off the middle, with or without a shadow across it."""
    picture = Image.new("L", (400, 300), paper)
    draw = ImageDraw.Draw(picture)
    for stroke in digits.EXAMPLES[name]:
        draw.line([(210 + 180 * x, 60 + 180 * y) for x, y in stroke], fill=ink, width=14, joint="curve")
    if shadow:
        fall = np.linspace(1.0, 0.55, 400)[None] * np.linspace(1.0, 0.8, 300)[:, None]
        picture = Image.fromarray(np.uint8(np.asarray(picture) * fall))
    return picture


@pytest.mark.parametrize("name", ["2", "4", "7", "8"])
@pytest.mark.parametrize("kind", ["pen on paper", "chalk", "shadow", "see-through"])
def test_a_picture_of_a_digit_is_read(tmp_path, name, kind):
    if kind == "see-through":
        ink = photograph(name, paper=0, ink=255)
        picture = Image.merge("RGBA", [Image.new("L", ink.size, 20)] * 3 + [ink])
    else:
        picture = {
            "pen on paper": lambda: photograph(name, paper=235, ink=40),
            "chalk": lambda: photograph(name, paper=30, ink=230),
            "shadow": lambda: photograph(name, paper=240, ink=50, shadow=True),
        }[kind]()
    path = tmp_path / "digit.png"
    picture.save(path)
    drawing, note = digits.read_picture(path)
    assert ("inverted" in note) == (kind != "chalk")
    assert says(digits.prepare(pad.decode(pad.encode(drawing))).image) == int(name)


def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "text.png").write_text("<svg onload=alert(1)>")
    (tmp_path / "empty.png").touch()
    Image.new("L", (5000, 20), 255).save(tmp_path / "wide.png")
    Image.new("L", (200, 200), 200).save(tmp_path / "blank.png")
    good = tmp_path / "cut.png"
    photograph("3", paper=255, ink=0).save(good)
    good.write_bytes(good.read_bytes()[:200])
    for name, words in {
        "text.png": "cannot be read",
        "empty.png": "cannot be read",
        "cut.png": "cannot be read",
        "missing.png": "cannot be read",
        "wide.png": "5000 x 20 pixels",
        "blank.png": "more contrast",
    }.items():
        with pytest.raises(ValueError, match=words) as caught:
            digits.read_picture(tmp_path / name)
        assert "\n" not in str(caught.value)


# --- the code that the page shows ----------------------------------------------------------------------------------


def test_the_code_gives_what_is_on_screen(model):
    image = digits.prepare(pad.rasterise(moved(digits.EXAMPLES["4"], 0.4, 0.5, 0.8))).image
    text = cnn_app.code(image, "pool_1", 3, 10, 11, 9)
    names = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(text, "shown", "exec"), names)
    assert np.array_equal(names["image"], image)
    found = cnn_app.activations(model, image)
    np.testing.assert_allclose(names["probabilities"], cnn_app.softmax(found["logits"]), atol=1e-5)
    np.testing.assert_allclose(names["maps"], found["pool_1"], atol=2e-4)
    assert names["value"] == pytest.approx(cnn_app.one_step(model, image, 3, 10, 11).value, abs=1e-4)
    np.testing.assert_allclose(names["saliency"], cnn_app.saliency(model, image, 9), atol=1e-4)
    np.testing.assert_allclose(names["cam"], cnn_app.grad_cam(model, found["relu_2_2"], 9), atol=1e-3)
    assert "answer: 4" in said.getvalue()
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layer": "../x"}, "Layer: got"),
        ({"layer": None}, "Layer: got"),
        ({"filter": 32}, "Filter: got 32"),
        ({"filter": float("nan")}, "Filter: got nan"),
        ({"row": 3.5}, "Row: got 3.5"),
        ({"column": "1"}, "Column: got"),
        ({"target": "10"}, "Class: got"),
        ({"drawing": ["x"]}, "drawing is of type list"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(change, words):
    state = {"drawing": "", "layer": "conv_1_1", "filter": 0, "row": 0, "column": 0, "target": "answer"}
    with pytest.raises(gr.Error, match=words) as caught:
        cnn_app.explain(**{**state, **change})
    assert "\n" not in str(caught.value)


# --- the page ------------------------------------------------------------------------------------------------------

FIRST_GRADIENT = 30_000  # ms: on JAX it is compiled in the background while the page opens

# The moment at which a pen touches or leaves the pad, and those at which the answer on the page changes.
_WATCH = """() => {
    window.times = {};
    const canvas = document.querySelector("#pad canvas");
    canvas.addEventListener("pointerup", () => { times.up = performance.now(); }, true);
    const see = () => { times.shown = performance.now(); };
    new MutationObserver(see).observe(document.querySelector(".kz-answer").parentElement,
        { subtree: true, childList: true, attributes: true, characterData: true });
}"""


def pad_box(tab):
    """Where the pad is on the screen, once the page has stood still for half a second."""
    pad = tab.locator("#pad canvas")
    pad.scroll_into_view_if_needed()
    boxes = [pad.bounding_box()]
    for _ in range(60):
        tab.wait_for_timeout(100)
        boxes.append(pad.bounding_box())
        if boxes[-6:] == [boxes[-1]] * 6:
            return boxes[-1]
    raise AssertionError(f"the pad has not stood still for six seconds: {boxes[-6:]}")


def draw(tab, strokes):
    """Draws with the mouse; a pause after each stroke, as a hand makes it."""
    box = pad_box(tab)
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        tab.mouse.move(*places[0])
        tab.mouse.down()
        for place in places[1:]:
            tab.mouse.move(*place)  # the pad joins the places, as it does for a quick hand
        tab.mouse.up()
        tab.wait_for_timeout(300)


def answer(tab):
    return tab.locator(".kz-answer .says")


def test_ten_digits_are_drawn_and_recognised_at_once(served, page, screenshot):
    from playwright.sync_api import expect

    tab = page(served("cnn_app"))
    expect(answer(tab)).to_have_text("It says 3")
    tab.get_by_role("tab", name="Where it looks").click()
    expect(tab.locator(".kz-where svg")).to_have_count(2, timeout=FIRST_GRADIENT)
    screenshot("cnn_where")
    tab.get_by_role("tab", name="Layers").click()
    tab.evaluate(_WATCH)
    delays = []
    places = [(0.5, 0.5, 1.0), (0.33, 0.36, 0.55), (0.64, 0.6, 0.6)]
    for k, name in enumerate(digits.CLASSES):
        if k:  # the first stroke on the example starts a new drawing
            tab.get_by_role("button", name="Clear").click()
            expect(answer(tab)).to_have_text("Draw a digit")
        for stroke in moved(digits.EXAMPLES[name], *places[k % 3]):
            draw(tab, [stroke])
            tab.wait_for_timeout(200)
            delays.append(tab.evaluate("() => times.shown - times.up"))
        expect(answer(tab)).to_have_text(f"It says {name}")
    assert statistics.median(delays) < 300, delays
    screenshot("cnn_page")


def test_the_main_path(served, page, screenshot, tmp_path, model):
    from playwright.sync_api import expect

    tab = page(served("cnn_app"))
    tab.get_by_role("button", name="Example: 8").click()
    expect(answer(tab)).to_have_text("It says 8")
    tab.get_by_role("button", name="Show the layer pool_2").click()
    expect(tab.locator(".kz-maps p")).to_contain_text("pool_2: 64 maps of 4 x 4")
    tab.get_by_role("tab", name="One filter").click()
    tab.get_by_role("button", name="Filter 7").click()
    expect(tab.locator(".kz-step")).to_contain_text("map 7 of relu_1_1")
    map_of_one = tab.locator("svg.pick").nth(1)
    map_of_one.scroll_into_view_if_needed()
    box = map_of_one.bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 10.5 / 26, box["y"] + box["height"] * 5.5 / 26)
    expect(tab.locator(".kz-step + .kz-caption")).to_contain_text("Row 5, column 10:")
    map_of_one.press("ArrowRight")
    expect(tab.locator(".kz-step + .kz-caption")).to_contain_text("Row 5, column 11:")
    screenshot("cnn_filter")
    tab.get_by_role("tab", name="Where it looks").click()
    tab.get_by_role("radio", name="3", exact=True).click()
    expect(tab.locator(".kz-where + p")).to_contain_text("Class 3 has", timeout=FIRST_GRADIENT)
    tab.get_by_role("button", name="Copy link to this state").click()
    link = tab.locator(".kz-link-box textarea, .kz-link-box input").first
    expect(link).not_to_have_value("")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "cnn_mnist.keras"
    download.value.save_as(tmp_path / "taken.keras")
    assert kzoo.load_model(tmp_path / "taken.keras").count_params() == model.count_params()

    second = page(link.input_value())
    expect(answer(second)).to_have_text("It says 8")
    expect(second.locator(".kz-maps p")).to_contain_text("pool_2")
    second.get_by_role("tab", name="Where it looks").click()
    expect(second.locator(".kz-where + p")).to_contain_text("Class 3 has", timeout=FIRST_GRADIENT)
    second.get_by_role("tab", name="One filter").click()
    expect(second.locator(".kz-step + .kz-caption")).to_contain_text("Row 5, column 11:")


def test_a_quick_drag_ends_at_its_last_place(served, page):
    from playwright.sync_api import expect

    tab = page(served("cnn_app"))
    tab.get_by_role("tab", name="One filter").click()
    picture = tab.locator("svg.pick").nth(1)
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()

    def to(row, column):
        tab.mouse.move(box["x"] + box["width"] * (column + 0.5) / 26, box["y"] + box["height"] * (row + 0.5) / 26)

    to(2, 2)
    tab.mouse.down()
    for k in range(1, 41):
        to(2 + k / 2, 2 + k / 2)
        tab.wait_for_timeout(20)
    tab.mouse.up()
    place = tab.locator(".kz-step + .kz-caption")
    expect(place).to_contain_text("Row 22, column 22:")
    tab.wait_for_timeout(500)
    expect(place).to_contain_text("Row 22, column 22:")


def test_the_pad_by_keyboard_eraser_undo_and_upload(served, page, tmp_path):
    from playwright.sync_api import expect

    tab = page(served("cnn_app"))
    canvas = tab.locator("#pad canvas")
    canvas.focus()
    canvas.press("Delete")
    expect(answer(tab)).to_have_text("Draw a digit")
    for key in ["ArrowUp"] * 10 + [" "] + ["ArrowDown"] * 20 + [" "]:
        canvas.press(key)
    expect(answer(tab)).to_have_text("It says 1")
    tab.get_by_role("button", name="Clear").click()
    expect(answer(tab)).to_have_text("Draw a digit")
    tab.get_by_role("button", name="Undo").click()
    expect(answer(tab)).to_have_text("It says 1")

    # An 8 without its left sides is a 3: the eraser edits an example.
    tab.get_by_role("button", name="Example: 8").click()
    expect(answer(tab)).to_have_text("It says 8")
    tab.get_by_role("button", name="Eraser").click()
    draw(tab, [[(0.30, 0.26), (0.36, 0.33), (0.30, 0.42)], [(0.26, 0.58), (0.32, 0.67), (0.28, 0.78)]])
    expect(answer(tab)).to_have_text("It says 3")

    path = tmp_path / "seven.png"
    photograph("7", paper=240, ink=50, shadow=True).save(path)
    tab.locator("input[type=file]").first.set_input_files(path)
    expect(answer(tab)).to_have_text("It says 7")
    expect(tab.get_by_text("It was dark on light, so it was inverted")).to_be_visible()
    (tmp_path / "text.png").write_text("no picture")
    tab.locator("input[type=file]").first.set_input_files(tmp_path / "text.png")
    expect(tab.get_by_text("The file cannot be read")).to_be_visible()


def test_a_phone_in_the_dark_draws_with_a_finger(served, page, screenshot):
    from playwright.sync_api import expect

    tab = page(served("cnn_app"), width=390, height=844, dark=True, touch=True)
    expect(answer(tab)).to_have_text("It says 3")
    box = pad_box(tab)
    finger = tab.context.new_cdp_session(tab)
    (stroke,) = digits.EXAMPLES["7"]
    stroke = [p for a, b in itertools.pairwise(stroke) for p in np.linspace(a, b, 8)]
    for k, (x, y) in enumerate(stroke):
        point = {"x": float(box["x"] + x * box["width"]), "y": float(box["y"] + y * box["height"])}
        kind = "touchMove" if k else "touchStart"
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(answer(tab)).to_have_text("It says 7")
    width = tab.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 390, "the page is wider than a phone"
    screenshot("cnn_phone_dark")


def test_a_link_with_wrong_values_opens_all_the_same(served, page):
    from playwright.sync_api import expect

    tab = page(served("cnn_app") + "/?drawing=<b>&filter=99&row=nan&layer=../x&class=7")
    expect(answer(tab)).to_have_text("It says 3")
    expect(tab.get_by_text("'drawing' is not allowed")).to_be_visible()
    tab.get_by_role("tab", name="Where it looks").click()
    expect(tab.locator(".kz-where + p")).to_contain_text("Class 7 has", timeout=FIRST_GRADIENT)


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (1, 5)])
def test_a_picture_of_a_few_pixels_is_read_or_refused_and_never_kills_the_server(size, tmp_path):
    path = tmp_path / "small.png"
    picture = np.zeros(size, np.uint8)
    picture[0, 0] = 255
    Image.fromarray(picture).save(path)
    code = (
        "import sys, digits\ntry:\n    digits.read_picture(sys.argv[1])\nexcept ValueError as error:\n    print(error)"
    )
    # In a process of its own: the fault to be kept out was a signal.
    folder = Path(cnn_app.__file__).parent
    done = subprocess.run([sys.executable, "-c", code, path], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
