"""A recipe's run from one plant second to the next: pure, and by the table of `states` alone.

A command, a condition or the end of what is done gives a trigger; the first, in order of urgency, that the state takes
leads on. Only the next phase of a recipe is no change of state. Time in a phase counts while it runs, not while held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from simulators.reactor import Readings
from simulators.recipe.plan import Recipe, Step, Watches
from simulators.recipe.run import PHASE_RUNS, Run, response_of, settings_of, tempered
from simulators.recipe.states import TRANSITIONS, BatchState, Command, Event, commands_in

_FINAL = (BatchState.COMPLETE, BatchState.STOPPED, BatchState.ABORTED)
Trigger = tuple[Command | Event, str]
"""What happened, and the sentence about it."""


def advance(run: Run, recipe: Recipe, shown: Readings, command: Command | None = None) -> Run:
    """The run one second later. A command that the state does not take changes nothing but the message."""
    step = recipe.phases[run.phase_index]
    counted = _counted(run, recipe, step, shown)
    refused = refusal(counted, recipe, command, shown) if command else None
    for trigger in _triggers(counted, recipe, step, shown, None if refused else command):
        if (run.state, trigger[0]) in TRANSITIONS:
            return _entered(counted, recipe, shown, trigger)
    stays = _stays(counted, recipe, step, shown)
    return replace(stays, message=refused) if refused else stays


def refusal(run: Run, recipe: Recipe, command: Command, shown: Readings) -> str | None:
    """Why a command is not taken now, as a sentence; None when it is."""
    if (run.state, command) not in TRANSITIONS:
        taken = " or ".join(known.value for known in commands_in(run.state)) or "no command"
        return f"{command.value} is refused: the batch is {run.state.word}, which takes {taken}"
    idle = recipe.phases[-1]
    unmet = [watch.told(shown) for watch in idle.until if not watch.met(shown)]
    if command is Command.START and unmet:
        return f"START is refused: the unit is not ready, {' and '.join(unmet)}"
    return None


def _entered(run: Run, recipe: Recipe, shown: Readings, trigger: Trigger) -> Run:
    """In the state that the trigger leads to."""
    state = TRANSITIONS[run.state, trigger[0]]
    index, batch = run.phase_index, run.batch
    if state is BatchState.IDLE:
        index = len(recipe.phases) - 1
    elif trigger[0] is Command.START:
        index, batch = 0, batch + 1
    elif trigger[0] is Command.RESUME and not _is_last(run, recipe):
        index += 1
    entered = replace(run, batch=batch, phase_index=index, state=state, message=trigger[1])
    if state is not BatchState.PAUSING:  # which the phase does not notice
        phase_s = run.phase_s if index == run.phase_index else 0
        entered = replace(entered, phase_s=phase_s, state_s=0, met=(), watched=())
    return tempered(entered, settings_of(entered, recipe)[0], shown, anew=state is BatchState.RESTARTING)


def _stays(run: Run, recipe: Recipe, step: Step, shown: Readings) -> Run:
    """In the same state a second later, perhaps in the next phase."""
    if run.state is BatchState.RUNNING and _over(run, step):
        run = replace(run, phase_index=run.phase_index + 1, phase_s=0, state_s=0, met=(), watched=(), message="")
    return tempered(run, settings_of(run, recipe)[0], shown)


def _until(state: BatchState, recipe: Recipe, step: Step) -> Watches:
    """The conditions that are counted in `met`."""
    if state in PHASE_RUNS or state is BatchState.IDLE:
        return step.until
    if state is BatchState.HELD:
        return recipe.restart_when
    if state is BatchState.RESTARTING:
        return recipe.restart_until
    response = response_of(state, recipe)
    return response.until if response else ()


def _counted(run: Run, recipe: Recipe, step: Step, shown: Readings) -> Run:
    """The run with a second more of everything that counts seconds."""
    return Run(  # every second of every unit passes here: `replace` takes thrice the time
        run.batch,
        run.phase_index,
        run.state,
        run.phase_s + (run.state in PHASE_RUNS or run.state is BatchState.IDLE),
        run.state_s + 1,
        _longer(_until(run.state, recipe, step), run.met, shown),
        _longer(step.abort_when + step.hold_when, run.watched, shown),
        run.temperature_mode,
        run.temperature_setpoint_c,
        run.jacket_setpoint_c,
        run.message,
    )


def _longer(watches: Watches, counts: tuple[int, ...], shown: Readings) -> tuple[int, ...]:
    if not counts:
        return tuple([int(watch.met(shown)) for watch in watches])
    return tuple([count + 1 if watch.met(shown) else 0 for watch, count in zip(watches, counts, strict=True)])


def _lasted(watches: Watches, counts: tuple[int, ...]) -> bool:
    return all(count > watch.for_s for watch, count in zip(watches, counts, strict=True))


def _triggers(run: Run, recipe: Recipe, step: Step, shown: Readings, command: Command | None) -> Iterator[Trigger]:
    """What happens in this second, the most urgent first."""
    aborts = len(step.abort_when)
    yield from _due(Command.ABORT, step.abort_when, run.watched[:aborts], shown)
    if command:
        yield command, f"{command.value} by command"
    yield from _due(Command.HOLD, step.hold_when, run.watched[aborts:], shown)
    ends = _ENDS.get(run.state, _acting_ends)
    yield from ends(run, recipe, step)


def _due(command: Command, watches: Watches, counts: tuple[int, ...], shown: Readings) -> Iterator[Trigger]:
    for watch, count in zip(watches, counts, strict=True):
        if count > watch.for_s:
            yield command, f"{command.value} because {watch.told(shown)}"


def _phase_ends(run: Run, recipe: Recipe, step: Step) -> Iterator[Trigger]:
    """DONE where the phase that ends is the last one or a pause follows; to the next phase the state stays."""
    if _stuck(run, step):
        yield Command.HOLD, f"HOLD because phase {step.name} is not over after {run.state_s} s"
    if _over(run, step) and (_is_last(run, recipe) or run.state is BatchState.PAUSING):
        yield Event.DONE, ""


def _met(run: Run, step: Step) -> bool:
    return run.phase_s >= step.minimum_s and _lasted(step.until, run.met)


def _late(run: Run, step: Step) -> bool:
    return step.maximum_s is not None and run.state_s >= step.maximum_s


def _stuck(run: Run, step: Step) -> bool:
    return _late(run, step) and not step.goes_on_at_maximum and not _met(run, step)


def _over(run: Run, step: Step) -> bool:
    return _met(run, step) or (_late(run, step) and step.goes_on_at_maximum)


def _is_last(run: Run, recipe: Recipe) -> bool:
    return run.phase_index >= len(recipe.phases) - 2


def _acting_ends(run: Run, recipe: Recipe, step: Step) -> Iterator[Trigger]:
    response = response_of(run.state, recipe)
    minimum_s = response.minimum_s if response else recipe.file.restart.minimum_s
    if run.state_s >= minimum_s and _lasted(_until(run.state, recipe, step), run.met):
        yield Event.DONE, run.message


def _held_ends(run: Run, recipe: Recipe, _: Step) -> Iterator[Trigger]:
    if recipe.restart_when and _lasted(recipe.restart_when, run.met):
        yield Command.RESTART, "RESTART by the recipe"


def _final_ends(run: Run, recipe: Recipe, _: Step) -> Iterator[Trigger]:
    after_s = {
        BatchState.COMPLETE: recipe.file.complete_s,
        BatchState.STOPPED: recipe.file.stop.reset_after_s,
        BatchState.ABORTED: recipe.file.abort.reset_after_s,
    }[run.state]
    if after_s is not None and run.state_s >= after_s:
        yield Command.RESET, "RESET by the recipe"


def _idle_ends(run: Run, recipe: Recipe, step: Step) -> Iterator[Trigger]:
    if recipe.file.repeat and run.phase_s >= step.minimum_s and _lasted(step.until, run.met):
        yield Command.START, ""


def _paused_ends(_run: Run, _recipe: Recipe, _step: Step) -> Iterator[Trigger]:
    return iter(())


_ENDS = {
    BatchState.RUNNING: _phase_ends,
    BatchState.PAUSING: _phase_ends,
    BatchState.PAUSED: _paused_ends,
    BatchState.HELD: _held_ends,
    BatchState.IDLE: _idle_ends,
    **dict.fromkeys(_FINAL, _final_ends),
}
