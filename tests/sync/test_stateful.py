"""Many hands on both sides, while everything that can fail does; then both sides are equal."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from bascule.sandbox import SandboxThread
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.two_way import turn_on
from tests.sync.both_sides import There, Workers
from tests.sync.stories import Asking, World

SECRET = b"a secret of the hook"
# A step is one thing that somebody does. `make soak` sets these.
STEPS = int(os.environ.get("BASCULE_SOAK_STEPS", "10000"))
SEED = os.environ.get("BASCULE_SOAK_SEED")
IN_ONE_GO, RULES = 25, 20
POLICIES = ("ask", "erpnext", "hub", "newest")


@pytest.fixture
def world(
    fresh_settings: FreshSettings,
    erpnext_snapshot: Any,
    request: pytest.FixtureRequest,
    kills: None,
) -> Iterator[World]:
    """Of the kind of records that the test names."""
    thread = SandboxThread(erpnext_snapshot)
    with (
        fresh_settings(secret_key="a key for tests", settle_seconds=2) as config,
        thread as site,
        RunningHub(config, worker=False) as running,
    ):
        workers = Workers(config)
        workers.start()
        try:
            yield opened(running, thread, site, workers, request.param)
        finally:
            workers.close()


def opened(
    running: RunningHub, thread: SandboxThread, site: Any, workers: Workers, kind: str
) -> World:
    api = Api(running.url, running.token)
    slug, doctype = connect(api, site, name="The Shop", streams=[])["slug"], kind[:-1].title()
    group = {"Customer": "Consumers", "Supplier": "Rubber"}[doctype]
    defaults = {f"{kind[:-1]}Group": group, "country": "Netherlands"}
    turn_on(api, slug, kind, defaults=defaults)
    by_hand = {"doctypes": [doctype, "Address", "Contact"], "secret": SECRET.decode()}
    answer = api.ask("PUT", f"/api/connectors/{slug}/webhooks", by_hand)
    assert answer.status == 200, answer.body
    hook = "/api/" + answer.json["addresses"][doctype].partition("/api/")[2]
    there = There(thread, site)
    world = World(
        Asking(running.url, running.token), there, workers, slug, kind, hook,
        SECRET, random.Random(1),
    )  # fmt: skip
    world.at_first = there.names(doctype)
    return world


def machine_of(world: World) -> type[RuleBasedStateMachine]:
    class BothSides(RuleBasedStateMachine):
        @rule(seed=st.integers(0, 2**32), policy=st.sampled_from(POLICIES))
        def a_busy_while(self, seed: int, policy: str) -> None:
            """Many things at once, from one number: Hypothesis draws while nothing waits for it."""
            # Hypothesis likes to draw the same thing again; no two whiles are the same here.
            world.whiles += 1
            world.random = random.Random(f"{seed} {world.whiles}")
            often = mood(world.random)
            with noting(world):
                for _ in range(IN_ONE_GO):
                    act(world, policy, often)

        def teardown(self) -> None:
            with noting(world):
                world.quiet()
                world.check()

    return BothSides


@contextmanager
def noting(world: World) -> Iterator[None]:
    """Hypothesis does what failed again, which goes otherwise, and tells of that alone."""
    if world.failed is not None:
        raise world.failed
    try:
        yield
    except BaseException as error:
        world.failed = error
        raise


# What people and machines do, and how often of a hundred times where nothing is special.
OFTEN: dict[str, float] = {
    "create here": 10,
    "create there": 6,
    "change here": 32,
    "change there": 26,
    "delete here": 3,
    "restore here": 2,
    "delete there": 2,
    "rename there": 2,
    "merge there": 1,
    "decide": 5,
    "deliver": 4,
    "forge": 1,
    "break": 3,
    "mend": 1,
    "sync now": 1,
    "kill": 0.3,
    "policy": 0.7,
}
MOODS = (0.3, 1.0, 1.0, 5.0)


def mood(chance: random.Random) -> dict[str, float]:
    """Some things are done often in one while and seldom in another: so rare ones meet."""
    return {what: often * chance.choice(MOODS) for what, often in OFTEN.items()}


def act(world: World, policy: str, often: dict[str, float]) -> None:
    number, name = world.some_record(), world.some_document()
    [what] = world.random.choices([*often], [*often.values()])
    if number is None or name is None:
        world.steps["create here"] += 1
        world.create_here()
        return
    at = f"/api/connectors/{world.connector}/two-way/{world.kind}"
    doing: dict[str, Callable[[], Any]] = {
        "create here": world.create_here,
        "create there": world.create_there,
        "change here": lambda: world.change_here(number),
        "change there": lambda: world.change_there(name),
        "delete here": lambda: world.delete_here(number),
        "restore here": lambda: world.restore_here(number),
        "delete there": lambda: world.delete_there(name),
        "rename there": lambda: world.rename_there(name),
        "merge there": lambda: world.merge_there(name, world.some_document() or name),
        "decide": lambda: world.decide(world.one_to_decide() or number),
        "deliver": world.deliver,
        "forge": world.forge,
        "break": world.break_something,
        "mend": world.mend,
        "sync now": world.sync_now,
        "kill": world.kill,
        "policy": lambda: world.api.ask("PATCH", at, {"policy": policy}),
    }
    world.steps[what] += 1
    doing[what]()


@pytest.mark.heavy
@pytest.mark.timeout(0)
@pytest.mark.parametrize(
    ("world", "steps"), [("customers", STEPS), ("suppliers", STEPS // 10)], indirect=["world"]
)
def test_both_sides_are_equal_when_it_quiets(world: World, steps: int) -> None:
    machine = machine_of(world)
    examples = max(1, steps // (IN_ONE_GO * RULES))
    drawn = int(SEED) if SEED else None
    config = settings(
        max_examples=examples,
        stateful_step_count=RULES,
        deadline=None,
        database=None,
        derandomize=drawn is None,
        phases=[
            Phase.generate
        ],  # what happened is in the hub's journal; there is no doing it again
        suppress_health_check=list(HealthCheck),
    )
    print(f"{steps} steps from {drawn}")
    started = time.monotonic()
    if drawn is not None:
        machine = seed(drawn)(machine)
    try:
        run_state_machine_as_test(machine, settings=config)
    except BaseException:
        raise world.failed or AssertionError("Hypothesis failed by itself.") from None
    world.quiet()
    world.check()
    took = time.monotonic() - started
    print(f"{world.steps.total()} steps in {took:.0f} s, {world.workers.killed} workers killed")
    print(dict(world.steps))
