"""Keys that got another name."""

import warnings
from typing import ClassVar

import pytest
from pydantic import ValidationError

from vip.settings import Settings


class Walk(Settings):
    """Settings for this test alone."""

    renamed: ClassVar = {"rounds": ("iterations", "0.3")}
    iterations: int


def test_an_old_key_works_and_warns():
    with pytest.warns(FutureWarning, match=r"'rounds' is now 'iterations'; the old name works until version 0\.3"):
        assert Walk.model_validate({"rounds": 5}).iterations == 5


def test_a_new_key_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Walk.model_validate({"iterations": 5}).iterations == 5


def test_both_names_are_an_error():
    with pytest.raises(ValidationError, match="remove 'rounds'"):
        Walk.model_validate({"rounds": 5, "iterations": 6})


def test_a_value_under_an_old_name_is_checked():
    with pytest.warns(FutureWarning), pytest.raises(ValidationError):
        Walk.model_validate({"rounds": "many"})
