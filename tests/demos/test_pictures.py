"""Images on a page: what an address holds, a sheet, and a grid that is safe and can be clicked."""

import base64
import io
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pictures
import pytest
from PIL import Image


def pixels(address):
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1)], ids=str)
def test_an_address_holds_the_grey_values(shape):
    image = np.array([0, 0.2, 1, -3, 7, np.nan]).reshape(shape)
    wanted = np.array([[0, 51, 255], [0, 255, 0]])
    np.testing.assert_array_equal(pixels(pictures.address(image)), np.repeat(wanted[..., None], 3, axis=-1))


def test_an_address_holds_colours():
    image = np.zeros((1, 2, 3))
    image[0, 1] = 1, 0, 0.2
    np.testing.assert_array_equal(pixels(pictures.address(image)), [[[0, 0, 0], [255, 0, 51]]])


def test_a_sheet_is_read_row_by_row_and_is_see_through_where_nothing_is():
    images = np.arange(5)[:, None, None] * np.ones((5, 2, 3)) / 5
    found = pixels(pictures.sheet(images, 3, gap=1))
    assert found.shape == (2 * 2 + 1, 3 * 3 + 2, 4)
    np.testing.assert_array_equal(found[[0, 0, 0, 3, 3], [0, 4, 8, 0, 4], 0], [0, 51, 102, 153, 204])
    assert (found[2] == 0).all()
    assert (found[:, 3] == 0).all()
    assert (found[3:, 8:] == 0).all(), "there is no sixth image"
    assert (found[:2, :3, 3] == 255).all()


def test_a_grid_names_its_images_and_says_what_a_click_chooses():
    picks = [{"digit": 0, "way": "a'b\"<"}, {"digit": 1, "way": ""}]
    names = ["<0>", "one"]
    markup = pictures.grid(np.zeros((2, 4, 4)), label='a "label"', names=names, picks=picks, chosen=1)
    root = ElementTree.fromstring(markup)
    buttons = list(root.iter("button"))
    assert root.get("aria-label") == 'a "label"'
    assert [json.loads(one.get("data-pick")) for one in buttons] == picks
    assert [one.get("aria-pressed") for one in buttons] == ["false", "true"]
    assert [one.get("aria-label") for one in buttons] == names
    assert [one.text for one in root.iter("span")] == names


def test_a_grid_says_what_it_does_not_show():
    picks = [{"name": "a"}, {"name": "b"}]
    root = ElementTree.fromstring(
        pictures.grid(np.zeros((2, 4, 4)), label="Letters", said=["an a", "a b"], picks=picks)
    )
    assert [one.get("aria-label") for one in root.iter("button")] == ["an a", "a b"]
    assert not list(root.iter("span"))


def test_a_grid_without_names_tells_a_screen_reader_its_images_one_by_one():
    root = ElementTree.fromstring(pictures.grid(np.zeros((2, 4, 4, 1)), label="Samples", columns=2, side=40))
    assert [one.get("alt") for one in root.iter("img")] == ["Samples, 1", "Samples, 2"]
    assert root.get("style") == "--columns:2;--side:40px"
    assert not list(root.iter("button"))
