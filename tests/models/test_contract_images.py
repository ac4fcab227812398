"""Every model that makes images keeps the contract of `checks`; a file of its own, since files are run side by side."""

import pytest
from checks import check_model

from kzoo import registry


@pytest.mark.parametrize("name", registry.list_models(family="generative"))
def test_model_keeps_the_contract(name, tmp_path):
    check_model(name, tmp_path)
