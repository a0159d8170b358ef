import pytest

from moonmind.cli.byte_sizes import byte_size


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3 << 20, "3.0 MiB"),
        ((5 << 30) + (1 << 29), "5.5 GiB"),
        (2 << 40, "2048.0 GiB"),
    ],
)
def test_a_size_is_said_in_its_largest_unit(count: int, said: str) -> None:
    assert byte_size(count) == said
