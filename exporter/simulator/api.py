"""The API's behaviour: which answer a request gets from the account, when nothing goes wrong.

Reads the world and changes nothing in it. It must not know the web framework.
"""

from collections.abc import Callable, Iterable, Sequence

from exporter.ledger.view import KNOWN_ACTION_TYPES, Status
from exporter.simulator import answers
from exporter.simulator.action import Filter
from exporter.simulator.answers import Answer
from exporter.simulator.ids import Kind
from exporter.simulator.query import Query
from exporter.simulator.rendering import Rendering, bulk_type
from exporter.simulator.simulator import Simulator

_FILTER_STATUSES = tuple(each.value for each in Status if each is not Status.INTERRUPTED)
"""The API does not document a filter on interrupted."""

_BULK_TYPES = tuple(bulk_type(each) for each in ("set_public_ip", "enable_voice", "disable_voice"))


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
        actions = self._world.page(filtered, (number - 1) * size, size)
        faults = self._simulator.faults.knobs
        data = [self._rendering.action(each, faults) for each in actions]
        return _page(data, number, size, self._world.total(filtered))

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
        shown = range(total)[(number - 1) * size : number * size]
        return _page([self._rendering.sim_card(each) for each in shown], number, size, total)

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
        shown = bulks[(number - 1) * size : number * size]
        data = [self._rendering.bulk(each, self._world.actions_of(each)) for each in shown]
        return _page(data, number, size, len(bulks))

    def _bulk(self, bulk_id: str) -> Answer:
        number = self._world.ids.read(Kind.BULK, bulk_id)
        if number is None or number >= len(self._world.bulks):
            return answers.not_found()
        bulk = self._world.bulks[number]
        return answers.document({"data": self._rendering.bulk(bulk, self._world.actions_of(bulk))})


def _page(data: Sequence[object], number: int, size: int, total: int) -> Answer:
    meta = {
        "total_pages": -(-total // size),
        "total_results": total,
        "page_number": number,
        "page_size": size,
    }
    return answers.document({"data": data, "meta": meta})
