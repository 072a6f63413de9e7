"""What the definitions need around them."""

import dagster as dg
import pytest

from streamweave_dagster.definitions import HeldInMemory

OUTPUT = {"run_id": "r", "step_key": "filter", "name": "result"}


def test_a_value_reaches_the_next_op_of_the_same_process() -> None:
    held = HeldInMemory()
    output = dg.build_output_context(**OUTPUT)
    held.handle_output(output, {"files": 3})
    assert held.load_input(dg.build_input_context(upstream_output=output)) == {"files": 3}


def test_a_run_that_goes_on_from_a_failed_step_is_told_what_to_do() -> None:
    another_process = HeldInMemory()
    with pytest.raises(dg.Failure, match="re-execute all steps") as caught:
        another_process.load_input(dg.build_input_context(upstream_output=dg.build_output_context(**OUTPUT)))
    assert not caught.value.allow_retries
