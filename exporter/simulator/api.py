"""The API's behaviour: which response a request gets from the account, when nothing goes wrong.

Query parameters are read strictly: what the API does not document is refused, so that a
client's mistake shows. It must not change the account, nor know the web framework.
"""

from collections.abc import Callable, Iterable, Sequence

from exporter.domain import KNOWN_ACTION_TYPES, Status, is_uuid
from exporter.simulator import responses
from exporter.simulator.actions import ActionFilter
from exporter.simulator.faults import MAX_PAGE_SIZE, BulkSummary, DeepPageResponse
from exporter.simulator.ids import IdCodec, IdType
from exporter.simulator.rendering import ApiRenderer, bulk_type
from exporter.simulator.responses import ApiResponse, ParameterError
from exporter.simulator.settings import ListOrder
from exporter.simulator.sim_cards import GROUPS, SimCardFilter, SimulatedSimCard
from exporter.simulator.simulator import Simulator

_DEFAULT_PAGE_SIZE = 20

_FILTER_STATUSES = tuple(each.value for each in Status if each is not Status.INTERRUPTED)
"""The API does not document a filter on interrupted."""

_BULK_TYPES = tuple(bulk_type(each) for each in ("set_public_ip", "enable_voice", "disable_voice"))

SIM_CARD_LISTS = ("sim_cards", "sim_card_groups")
"""The lists of SIM cards and their groups, which can fail while those of actions do not."""

_SIM_CARD_FILTER_STATUSES = (
    "enabled",
    "disabled",
    "standby",
    "data_limit_exceeded",
    "unauthorized_imei",
)

_REFUSAL_STATUSES = {DeepPageResponse.UNPROCESSABLE: 422, DeepPageResponse.BAD_REQUEST: 400}

_NO_MATCH = -1


class Api:
    """Answers the requests to one account."""

    def __init__(self, simulator: Simulator) -> None:
        """Answer from the account of ``simulator``."""
        self._simulator = simulator
        self._world = simulator.world
        self._renderer = ApiRenderer(self._world.ids, self._world.settings.seed)
        self._lists: dict[str, Callable[[_QueryParameters], ApiResponse]] = {
            "sim_card_actions": self._actions,
            "sim_cards": self._sim_cards,
            "sim_card_groups": self._groups,
            "bulk_sim_card_actions": self._bulks,
        }
        self._items: dict[str, Callable[[str, _QueryParameters], ApiResponse]] = {
            "sim_card_actions": self._action,
            "sim_cards": self._sim_card,
            "sim_card_groups": self._group,
            "bulk_sim_card_actions": self._bulk,
        }

    def respond(
        self, path: str, query: Iterable[tuple[str, str]], authorization: str | None
    ) -> ApiResponse:
        """Answer a GET of ``path``, relative to the API's root, without a leading slash."""
        if authorization != f"Bearer {self._simulator.key}":
            return responses.unauthorized(empty=self._simulator.faults.settings.empty_unauthorized)
        name, slash, item = path.partition("/")
        if not slash and name in self._lists:
            return self._lists[name](_QueryParameters(query))
        if item and name in self._items:
            return self._items[name](item, _QueryParameters(query))
        return responses.not_found()

    def _actions(self, query: "_QueryParameters") -> ApiResponse:
        number, size = query.page()
        ids = self._world.ids
        status = query.choice("filter[status]", _FILTER_STATUSES)
        action_type = query.choice("filter[action_type]", KNOWN_ACTION_TYPES)
        sim_card = query.ordinal("filter[sim_card_id]", ids, IdType.SIM_CARD)
        bulk = query.ordinal("filter[bulk_sim_card_action_id]", ids, IdType.BULK)
        if errors := query.errors():
            return responses.invalid_parameters(errors)
        action_filter = ActionFilter(
            None if status is None else Status(status), action_type, sim_card, bulk
        )
        if self._simulator.faults.next_filter_ignored():
            action_filter = ActionFilter()
        faults = self._simulator.faults.settings
        size = min(size, faults.page_size_cap or size)

        def items(offset: int) -> list[object]:
            actions = self._world.page(action_filter, offset, size)
            return [self._renderer.action(each, faults) for each in actions]

        return self._page(number, size, items, self._world.total(action_filter, faults.totals_lag))

    def _action(self, action_id: str, query: "_QueryParameters") -> ApiResponse:
        if errors := query.errors():
            return responses.invalid_parameters(errors)
        action = self._world.get(action_id)
        if action is None:
            return responses.not_found()
        # An action that is malformed in a list is well-formed by its id: else none could read it.
        faults = self._simulator.faults.settings.changed(malformed=0.0)
        return responses.json_response({"data": self._renderer.action(action, faults)})

    def _sim_cards(self, query: "_QueryParameters") -> ApiResponse:
        number, size = query.page()
        with_group = query.flag("include_sim_card_group")
        wanted = SimCardFilter(
            iccid=query.text("filter[iccid]"),
            statuses=query.several("filter[status]", _SIM_CARD_FILTER_STATUSES),
            tags=query.several("filter[tags]"),
            group_number=query.ordinal(
                "filter[sim_card_group_id]", self._world.ids, IdType.SIM_CARD_GROUP
            ),
        )
        if errors := query.errors():
            return responses.invalid_parameters(errors)
        cards = self._world.sim_cards
        # A filter looks at each SIM card; without one a page is as cheap as it is small.
        matching = None if wanted == SimCardFilter() else self._matching(wanted)

        def items(offset: int) -> list[object]:
            shown = cards.page(offset, size) if matching is None else matching[offset:][:size]
            return [self._rendered(each, with_group=with_group) for each in shown]

        return self._page(number, size, items, len(cards if matching is None else matching))

    def _sim_card(self, sim_card_id: str, query: "_QueryParameters") -> ApiResponse:
        with_group = query.flag("include_sim_card_group")
        with_codes = query.flag("include_pin_puk_codes")
        if errors := query.errors():
            return responses.invalid_parameters(errors)
        card = self._world.sim_cards.find(sim_card_id)
        if card is None:
            return responses.not_found()
        rendered = self._rendered(card, with_group=with_group, with_codes=with_codes)
        return responses.json_response({"data": rendered})

    def _groups(self, query: "_QueryParameters") -> ApiResponse:
        number, size = query.page()
        name = query.text("filter[name]")
        if errors := query.errors():
            return responses.invalid_parameters(errors)
        groups = [each for each in range(len(GROUPS)) if name in GROUPS[each]]

        def items(offset: int) -> list[object]:
            return [self._rendered_group(each) for each in groups[offset : offset + size]]

        return self._page(number, size, items, len(groups))

    def _group(self, group_id: str, query: "_QueryParameters") -> ApiResponse:
        if errors := query.errors():
            return responses.invalid_parameters(errors)
        number = self._world.ids.decode(IdType.SIM_CARD_GROUP, group_id)
        if number is None or number >= len(GROUPS):
            return responses.not_found()
        return responses.json_response({"data": self._rendered_group(number)})

    def _matching(self, wanted: SimCardFilter) -> list[SimulatedSimCard]:
        cards = self._world.sim_cards
        return [each for each in cards if each.matches(wanted, self._world.sim_card_status(each))]

    def _rendered(
        self, card: SimulatedSimCard, *, with_group: bool, with_codes: bool = False
    ) -> dict[str, object]:
        status = self._world.sim_card_status(card)
        return self._renderer.sim_card(card, status, with_group=with_group, with_codes=with_codes)

    def _rendered_group(self, number: int) -> dict[str, object]:
        return self._renderer.group(number, self._world.sim_cards.group_size(number))

    def _bulks(self, query: "_QueryParameters") -> ApiResponse:
        number, size = query.page()
        wanted_type = query.choice("filter[action_type]", _BULK_TYPES)
        if errors := query.errors():
            return responses.invalid_parameters(errors)
        bulks = [
            each for each in self._world.bulks if wanted_type in {None, bulk_type(each.action_type)}
        ]
        if self._world.sort_order is not ListOrder.OLDEST:
            bulks.reverse()
        counted_until = self._world.now - self._simulator.faults.settings.totals_lag

        with_summary = self._simulator.faults.settings.bulk_summary == BulkSummary.LIST

        def items(offset: int) -> list[object]:
            return [
                self._renderer.bulk(each, self._world.actions_of(each), with_summary=with_summary)
                for each in bulks[offset : offset + size]
            ]

        return self._page(
            number, size, items, sum(each.listed_at <= counted_until for each in bulks)
        )

    def _bulk(self, bulk_id: str, query: "_QueryParameters") -> ApiResponse:
        if errors := query.errors():
            return responses.invalid_parameters(errors)
        number = self._world.ids.decode(IdType.BULK, bulk_id)
        if number is None or number >= len(self._world.bulks):
            return responses.not_found()
        bulk = self._world.bulks[number]
        with_summary = self._simulator.faults.settings.bulk_summary != BulkSummary.NOWHERE
        actions = self._world.actions_of(bulk)
        rendered = self._renderer.bulk(bulk, actions, with_summary=with_summary)
        return responses.json_response({"data": rendered})

    def _page(
        self, number: int, size: int, items: Callable[[int], Sequence[object]], total: int
    ) -> ApiResponse:
        """Return a page of a list; ``items`` gives those from an offset on, ``total`` may lag."""
        faults = self._simulator.faults.settings
        offset: int | None = (number - 1) * size
        if faults.page_depth and number * size > faults.page_depth:
            deep_page = DeepPageResponse(faults.deep_page)
            if deep_page in _REFUSAL_STATUSES:
                detail = f"pages end at item {faults.page_depth}; {number} of {size} goes beyond"
                error = ParameterError("page[number]", detail)
                return responses.invalid_parameters([error], _REFUSAL_STATUSES[deep_page])
            last = faults.page_depth // size
            offset = (last - 1) * size if deep_page is DeepPageResponse.REPEAT and last else None
        body: dict[str, object] = {"data": [] if offset is None else items(offset)}
        meta = self._simulator.faults.list_meta(total, number, size, self._world.now)
        return responses.json_response(body if meta is None else body | {"meta": meta})


class _QueryParameters:
    """The parameters of one request; each is read at most once, by its name."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take the ``pairs`` of the query string; of a repeated name the last one counts.

        Only a parameter with several values may be repeated, with or without ``[]`` at its end.
        """
        self._unread: dict[str, str] = {}
        self._repeated: dict[str, list[str]] = {}
        for name, value in pairs:
            self._unread[name] = value
            self._repeated.setdefault(name, []).append(value)
        self._errors: list[ParameterError] = []

    def page(self) -> tuple[int, int]:
        """Return the number, from 1, and the size of the requested page."""
        return (
            self._integer("page[number]", 1, None),
            self._integer("page[size]", _DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE),
        )

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """Return the value of ``name``, one of ``choices``, or None if it is absent."""
        value = self._unread.pop(name, None)
        if value is not None and value not in choices:
            self._refuse(name, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def ordinal(self, name: str, ids: IdCodec, id_type: IdType) -> int | None:
        """Return the ordinal of the id in ``name``; None if absent, -1 for a foreign id."""
        value = self._unread.pop(name, None)
        if value is None:
            return None
        if not is_uuid(value):
            self._refuse(name, f"{value!r} is not a UUID")
        number = ids.decode(id_type, value)
        return _NO_MATCH if number is None else number

    def several(self, name: str, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the values of ``name``, repeated or separated by commas; any without choices."""
        given = []
        for spelled in (name, f"{name}[]"):
            if self._unread.pop(spelled, None) is not None:
                given += [each for text in self._repeated[spelled] for each in text.split(",")]
        for value in given:
            if choices and value not in choices:
                self._refuse(name, f"{value!r} is not one of {', '.join(choices)}")
        return tuple(given)

    def flag(self, name: str) -> bool:
        """Return whether ``name`` is true; false if it is absent."""
        return self.choice(name, ("true", "false")) == "true"

    def text(self, name: str) -> str:
        """Return the value of ``name``, empty if it is absent."""
        return self._unread.pop(name, "")

    def errors(self) -> list[ParameterError]:
        """Return what is wrong with the parameters, including those that were not read."""
        unknown = [ParameterError(name, f"{name} is not a parameter here") for name in self._unread]
        return self._errors + unknown

    def _integer(self, name: str, default: int, high: int | None) -> int:
        text = self._unread.pop(name, None)
        if text is None:
            return default
        bounds = "1 or more" if high is None else f"1 to {high}"
        if not (text.isascii() and text.isdigit()) or len(text) > len(str(2**53)):
            self._refuse(name, f"{text!r} is not a whole number, {bounds}")
            return default
        if int(text) < 1 or (high is not None and int(text) > high):
            self._refuse(name, f"{text} is out of bounds; give {bounds}")
        return int(text)

    def _refuse(self, name: str, detail: str) -> None:
        self._errors.append(ParameterError(name, detail))
