"""What a plant second of the simulated reactor costs: CPU of one step and of its readings, by chemistry.

    python -m bench.reactor_step [--quick]

The runaway is the dear one: its sub-steps are halved while the contents change by more than a kelvin in one. No rival.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

from bench._figures import figure
from simulators.reactor import Inputs, initial_state, parameters, readings, step

REACTORS = 200
ASKED = Inputs(temperature_setpoint_c=60.0, stirrer_speed_rpm=100.0)
CASES = {
    "demo_17": replace(ASKED, dosing_kg_per_h=50.0),
    "crystallisation_22": ASKED,
    "distillation_31": replace(ASKED, pressure_setpoint_bar=0.15, receive_distillate=True),
}


def cpu_us(call: Callable[[], object], times: int) -> float:
    """CPU time of one call."""
    began_s = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began_s) / times * 1e6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    times = 2000 if parser.parse_args().quick else 50_000
    for chemistry, asked in CASES.items():
        model = parameters("production_1600l", chemistry)
        state = step(initial_state(model, 900.0, 60.0), asked, 600.0, model)
        step_us = cpu_us(lambda state=state, asked=asked, model=model: step(state, asked, 1.0, model), times)  # type: ignore[misc]
        shown_us = cpu_us(lambda state=state, model=model: readings(state, model), times)  # type: ignore[misc]
        figure(f"{chemistry}: step of 1 s", step_us, "µs")
        figure(f"{chemistry}: readings", shown_us, "µs")
        figure(f"{chemistry}: {REACTORS} reactors at 1 Hz", REACTORS * (step_us + shown_us) / 1e4, "% of a core")
    runaway = replace(CASES["demo_17"], decomposition_factor=1e5)
    model = parameters("production_1600l", "demo_17")
    start = initial_state(model, 900.0, 65.0)
    minutes_us = cpu_us(lambda: step(start, runaway, 1200.0, model), 1 if times < 50_000 else 10)
    figure("runaway: mean step of 1 s over 20 min", minutes_us / 1200.0, "µs")


if __name__ == "__main__":
    main()
