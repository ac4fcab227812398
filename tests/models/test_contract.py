"""Every model of the registry keeps the contract of `tests/checks.py`; a new model is tested by being listed.

Those that make images: `test_contract_images.py`.
"""

import pytest
from checks import check_model

from kzoo import registry


@pytest.mark.parametrize("name", sorted(set(registry.list_models()) - set(registry.list_models(family="generative"))))
def test_model_keeps_the_contract(name, tmp_path):
    check_model(name, tmp_path)
