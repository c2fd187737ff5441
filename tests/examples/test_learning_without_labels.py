"""The examples of learning without labels do what docs/generative.md says of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, EXAMPLES / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_has_a_pattern_is_remembered_by_two_numbers():
    output = run("memory_exercise.py", "--steps", "400")
    errors = [float(error) for error in re.findall(r"off by +([\d.]+) on average", output)]
    at_random, even = errors[:4], errors[4:]  # with codes of 1, 2, 5 and 10 numbers
    assert even[1] < 2 < 10 < at_random[1]
    assert at_random[2] > 5


@pytest.mark.slow
def test_noise_is_taken_off_digits():
    output = run("digits_without_labels.py", "denoise")
    noisy, cut, restored = (float(value) for value in re.findall(r"PSNR ([\d.]+) dB", output))
    assert restored > cut + 8 > noisy + 8
