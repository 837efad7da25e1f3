"""Fixtures of the laboratory's tests: a tiny grammar, and the language itself."""

import pytest

from nnlm2bert.synthetic import Grammar, Oracle, PocketEnglish


@pytest.fixture(scope="session")
def tiny() -> Grammar:
    """Four states that share their words, so that no word gives its state away."""
    return Grammar(
        states=["a", "b", "c"],
        transitions={
            "a": {"b": 3, "c": 1},
            "b": {"a": 2, "b": 1, "</d>": 1},
            "c": {"c": 1, "a": 1},
        },
        emissions={"a": {"x": 3, "y": 1}, "b": {"y": 2, "z": 1}, "c": {"x": 1, "z": 2}},
        start={"a": 2, "c": 1},
    )


@pytest.fixture(scope="session")
def language() -> PocketEnglish:
    return PocketEnglish()


@pytest.fixture(scope="session")
def oracle(language: PocketEnglish) -> Oracle:
    return Oracle(language)
