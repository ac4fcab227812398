"""A visitor's own points: the lines that are read, those that are refused, and the code that makes them."""

import gradio as gr
import numpy as np
import points
import pytest

from .conftest import execute


@pytest.mark.parametrize("line", ["0.1, 0.2", "a, b, 1", "0.1, 0.2, 2", "7, 0, 1", "nan, 0, 1", "<b>, 0, 1"])
def test_a_bad_line_of_points_is_named(line):
    with pytest.raises(gr.Error, match="points, line 2") as error:
        points.read(f"0, 0, 1\n{line}")
    assert "<b>" not in error.value.message


def test_points_are_read_as_they_are_written():
    x, y = points.read("0.5, -0.25, 1\n\n-1,1,0\n")
    np.testing.assert_array_equal(x, np.array([[0.5, -0.25], [-1, 1]], dtype=np.float32))
    np.testing.assert_array_equal(y, [1, 0])


def test_more_points_than_a_page_takes_are_refused():
    assert len(points.read("0, 0, 1\n" * points.MOST_POINTS)[1]) == points.MOST_POINTS
    with pytest.raises(gr.Error, match="got more than 200"):
        points.read("0, 0, 1\n" * (points.MOST_POINTS + 1))


def test_one_class_is_nothing_to_learn_from():
    assert points.obstacle([0, 1, 1]) is None
    for classes in ([], [1], [0, 0]):
        assert "one point of each class" in points.obstacle(np.array(classes))


def test_the_points_code_makes_them():
    text = "0.123, -0.25, 1\n-1, 1, 0"
    for lines in (text, ""):
        names = execute("import numpy as np\n" + points.as_code(lines, ("a", "b")))
        x, y = points.read(lines)
        np.testing.assert_array_equal(names["a"], x)
        np.testing.assert_array_equal(names["b"], y)
