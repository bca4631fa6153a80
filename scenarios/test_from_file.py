"""The scenario of the option `--scenario-file`, if one is given: somebody's case, run again."""

from harness.pytest_plugin import VerifyCell, scenario


@scenario()
async def test_from_file(verify_cell: VerifyCell) -> None:
    """It is clean wherever it runs."""
    await verify_cell()
