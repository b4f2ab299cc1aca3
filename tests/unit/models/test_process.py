"""Timesteps of processes."""

from leavekout.models.process import Process


def test_strided_timesteps_begin_at_0(process: Process) -> None:
    assert process.strided_timesteps(7).tolist() == [0, 7, 14]
