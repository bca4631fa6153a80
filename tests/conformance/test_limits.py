"""What is said of an error is masked as a whole, and cut where it says so."""

import pytest

from harness.conformance.limits import described


def test_a_long_error_is_cut_with_what_is_left_out() -> None:
    """The end is not taken for the whole."""
    text = described(ValueError("x" * 1000))

    assert text.startswith("ValueError: xxx")
    assert text.endswith("x... (612 more characters)")


@pytest.mark.parametrize("before", range(345, 375, 3))
def test_no_half_of_a_secret_is_left_at_the_cut(before: int) -> None:
    """A text that is cut first has a secret that nothing knows again."""
    text = described(ValueError(f"{'x' * before} postgresql://me:hunter22hunter22@db.example/shop is down"))

    assert "hunter" not in text
