"""What goes wrong in a simulated deployment, as a schedule says it."""

from functools import partial
from typing import TYPE_CHECKING, assert_never

from simulation.schedule import Fault
from turnwire_contracts import subjects

if TYPE_CHECKING:
    from simulation.processes import Life
    from simulation.world import World

_REPUBLISHED_WITHIN_S = 1.5
"""How soon frames that the broker lost are there again: who publishes them reconnects in half."""

_UNWRITTEN_S = 2.0
"""What a consumer noted so long before the broker was killed may not be on its disk."""

_SILENCE_S = 3.0
"""After how long a connection that says nothing is taken to be lost."""

_JUMP_S = 3600.0

_LONGER = 3.0
"""How much longer a process may be frozen than other faults take."""


def begin(world: "World", fault: Fault) -> None:  # noqa: C901, PLR0912 -- one line for each kind
    """Let one thing go wrong now."""
    life = world.supervisor.lives[fault.slot]
    match fault.kind:
        case "kill":
            world.supervisor.crash(life)
        case "kill_before":
            life.dies_before = life.steps + fault.steps
        case "kill_after":
            life.dies_after = life.steps + fault.steps
        case "stop":
            world.supervisor.stop(life, fault.seconds)
        case "pause":
            world.supervisor.pause(life, fault.seconds * _LONGER)
        case "cut_off":
            _cut_off(world, life, fault)
        case "broken":
            world.note(f"{life.name} loses its connection")
            world.supervisor.disturbed_at = world.loop.now
            _broken(life)
        case "drop":
            _drop(world, fault)
        case "broker":
            _kill_broker(world, fault)
        case "elect_turns":
            _elect(world, subjects.TURNS_STREAM, fault)
        case "elect_output":
            _elect(world, subjects.OUTPUT_STREAM, fault)
        case "elect_limits":
            _elect(world, subjects.LIMITS_STREAM, fault)
        case "forget":
            world.note("another node leads the consumers; it missed some acknowledgements")
            world.broker.recover_consumers(world.loop.now - fault.seconds)
        case "partition":
            _partition(world, fault)
        case "clock":
            world.clocks[fault.slot] = _JUMP_S if fault.either else -_JUMP_S
            world.note(f"the wall clock of {fault.slot} jumps by {world.clocks[fault.slot]:+.0f} s")
        case _:
            assert_never(fault.kind)


def _drop(world: "World", fault: Fault) -> None:
    """Lose frames on their way to a gateway: nothing confirms them."""
    life = world.supervisor.lives["gateway-1" if fault.either else "gateway-2"]
    world.note(f"frames to {life.name} are dropped for {fault.seconds:.1f} s")
    for client in life.clients:
        client.drops_until = world.loop.now + fault.seconds


def _kill_broker(world: "World", fault: Fault) -> None:
    if not world.broker.is_up:
        return
    world.note(f"the broker is killed for {fault.seconds:.1f} s; its memory is gone")
    world.laws.readers.frames_lost += 1
    world.broker.kill()
    forgotten_s = fault.seconds + _UNWRITTEN_S if fault.either else 0.0
    world.after(fault.seconds + 0.05, partial(_start_broker, world, forgotten_s))


def _start_broker(world: "World", forgotten_s: float) -> None:
    world.note(f"the broker starts; its consumers forgot the last {forgotten_s:.1f} s")
    world.broker.start(forgotten_s)
    _look_for_frames(world)


def _elect(world: "World", name: str, fault: Fault) -> None:
    world.note(f"{name} is without a leader for {fault.seconds:.1f} s")
    if name == subjects.OUTPUT_STREAM:
        world.laws.readers.frames_lost += 1
    world.broker.elect(world.broker.streams[name], fault.seconds, keeps_memory=fault.either)
    if name == subjects.OUTPUT_STREAM:
        world.after(fault.seconds, partial(_look_for_frames, world))
    if name == subjects.TURNS_STREAM and not fault.either:
        world.broker.recover_consumers(world.loop.now - 0.2)


def _look_for_frames(world: "World") -> None:
    """See, a while after the broker lost frames, that their owners have published them again.

    Only where nothing else was done to any process: a turn may be without an owner.
    """
    lost_at, times = world.loop.now, world.laws.readers.frames_lost

    def look() -> None:
        kept = world.broker.streams[subjects.OUTPUT_STREAM]
        is_quiet = world.broker.is_up and kept.leaderless_until < lost_at + 0.01
        was_last = world.laws.readers.frames_lost == times
        if is_quiet and was_last and not world.supervisor.disturbed_at:
            world.laws.readers.frames_are_kept(kept)

    world.after(_REPUBLISHED_WITHIN_S, look)


def _cut_off(world: "World", life: "Life", fault: Fault) -> None:
    """Hold back what a process sends, or what it is sent; at the end all of it comes, or none."""
    world.note(f"{life.name} is cut off for {fault.seconds:.1f} s")
    healed = world.supervisor.disturbed_at = world.loop.now + fault.seconds
    for client in life.clients:
        client.hold_back(healed, up=fault.steps % 3 != 0, down=fault.steps % 3 != 1)
    if not fault.either:
        life.is_cut_off = True
        world.after(fault.seconds * 0.9, partial(_broken, life))
        world.after(fault.seconds, partial(_healed, life))


def _partition(world: "World", fault: Fault) -> None:
    """Cut off an orchestrator and gateways together; all of them are back at the same moment."""
    gateways = ("gateway-1", "gateway-2")
    with_it = gateways[fault.steps - 1 : fault.steps] or gateways
    world.note(f"{fault.slot} and {with_it} are cut off for {fault.seconds:.1f} s")
    world.supervisor.disturbed_at = world.loop.now + fault.seconds
    for life in [world.supervisor.lives[slot] for slot in (fault.slot, *with_it)]:
        for client in life.clients:
            client.hold_back(world.loop.now + fault.seconds, up=True, down=True)
        life.is_cut_off = True
        world.after(_SILENCE_S, partial(_broken, life))
        world.after(fault.seconds, partial(_healed, life))


def _broken(life: "Life") -> None:
    for client in life.clients:
        client.broken()


def _healed(life: "Life") -> None:
    life.is_cut_off = False
