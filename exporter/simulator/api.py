"""The API's behaviour: which answer a request gets from the account, when nothing goes wrong.

Reads the world and changes nothing in it. It must not know the web framework.
"""

from collections.abc import Callable, Iterable, Sequence

from exporter.domain import KNOWN_ACTION_TYPES, Status
from exporter.simulator import answers
from exporter.simulator.action import Filter
from exporter.simulator.answers import Answer, Problem
from exporter.simulator.faults import DeepPage
from exporter.simulator.ids import Kind
from exporter.simulator.query import Query
from exporter.simulator.rendering import Rendering, bulk_type
from exporter.simulator.simulator import Simulator

_FILTER_STATUSES = tuple(each.value for each in Status if each is not Status.INTERRUPTED)
"""The API does not document a filter on interrupted."""

_BULK_TYPES = tuple(bulk_type(each) for each in ("set_public_ip", "enable_voice", "disable_voice"))

_REFUSALS = {DeepPage.UNPROCESSABLE: 422, DeepPage.BAD_REQUEST: 400}


class Api:
    """Answers the requests to one account."""

    def __init__(self, simulator: Simulator) -> None:
        """Answer from the account of ``simulator``."""
        self._simulator = simulator
        self._world = simulator.world
        self._rendering = Rendering(self._world.ids, self._world.settings.seed)
        self._lists: dict[str, Callable[[Query], Answer]] = {
            "sim_card_actions": self._actions,
            "sim_cards": self._sim_cards,
            "bulk_sim_card_actions": self._bulks,
        }
        self._items: dict[str, Callable[[str], Answer]] = {
            "sim_card_actions": self._action,
            "bulk_sim_card_actions": self._bulk,
        }

    def answer(
        self, path: str, query: Iterable[tuple[str, str]], authorization: str | None
    ) -> Answer:
        """Answer a GET of ``path``, relative to the API's root, without a leading slash."""
        if authorization != f"Bearer {self._simulator.key}":
            return answers.unauthorized(empty=self._simulator.faults.knobs.empty_unauthorized)
        name, slash, item = path.partition("/")
        if not slash and name in self._lists:
            return self._lists[name](Query(query))
        if item and name in self._items:
            unknown = Query(query).problems()
            return answers.invalid(unknown) if unknown else self._items[name](item)
        return answers.not_found()

    def _actions(self, query: Query) -> Answer:
        number, size = query.page()
        ids = self._world.ids
        status = query.choice("filter[status]", _FILTER_STATUSES)
        action_type = query.choice("filter[action_type]", KNOWN_ACTION_TYPES)
        sim = query.reference("filter[sim_card_id]", ids, Kind.SIM_CARD)
        bulk = query.reference("filter[bulk_sim_card_action_id]", ids, Kind.BULK)
        if problems := query.problems():
            return answers.invalid(problems)
        filtered = Filter(None if status is None else Status(status), action_type, sim, bulk)
        faults = self._simulator.faults.knobs

        def shown(offset: int) -> list[object]:
            actions = self._world.page(filtered, offset, size)
            return [self._rendering.action(each, faults) for each in actions]

        return self._page(number, size, shown, self._world.total(filtered, faults.totals_lag))

    def _action(self, action_id: str) -> Answer:
        action = self._world.get(action_id)
        if action is None:
            return answers.not_found()
        # A malformed item of a list is one that by itself reads well, or nobody could use it.
        faults = self._simulator.faults.knobs.changed(malformed=0.0)
        return answers.document({"data": self._rendering.action(action, faults)})

    def _sim_cards(self, query: Query) -> Answer:
        number, size = query.page()
        if problems := query.problems():
            return answers.invalid(problems)
        total = self._world.settings.sim_cards

        def shown(offset: int) -> list[object]:
            return [self._rendering.sim_card(each) for each in range(total)[offset : offset + size]]

        return self._page(number, size, shown, total)

    def _bulks(self, query: Query) -> Answer:
        number, size = query.page()
        kind = query.choice("filter[action_type]", _BULK_TYPES)
        if problems := query.problems():
            return answers.invalid(problems)
        bulks = [
            each
            for each in reversed(self._world.bulks)
            if kind in {None, bulk_type(each.action_type)}
        ]
        then = self._world.now - self._simulator.faults.knobs.totals_lag

        def shown(offset: int) -> list[object]:
            return [
                self._rendering.bulk(each, self._world.actions_of(each))
                for each in bulks[offset : offset + size]
            ]

        return self._page(number, size, shown, sum(each.listed <= then for each in bulks))

    def _bulk(self, bulk_id: str) -> Answer:
        number = self._world.ids.read(Kind.BULK, bulk_id)
        if number is None or number >= len(self._world.bulks):
            return answers.not_found()
        bulk = self._world.bulks[number]
        return answers.document({"data": self._rendering.bulk(bulk, self._world.actions_of(bulk))})

    def _page(
        self, number: int, size: int, shown: Callable[[int], Sequence[object]], total: int
    ) -> Answer:
        """Answer with a page of what is ``shown`` from an offset on; ``total`` may lag."""
        faults = self._simulator.faults.knobs
        offset: int | None = (number - 1) * size
        if faults.page_depth and number * size > faults.page_depth:
            deep = DeepPage(faults.deep_page)
            if deep in _REFUSALS:
                detail = f"pages end at item {faults.page_depth}; {number} of {size} goes beyond"
                problem = Problem("page[number]", detail)
                return answers.invalid([problem], _REFUSALS[deep])
            last = faults.page_depth // size
            offset = (last - 1) * size if deep is DeepPage.REPEAT and last else None
        body: dict[str, object] = {"data": [] if offset is None else shown(offset)}
        meta = self._simulator.totals.meta(faults, total, number, size, self._world.now)
        return answers.document(body if meta is None else body | {"meta": meta})
