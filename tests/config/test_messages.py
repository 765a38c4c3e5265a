from collections.abc import Callable

import pytest

Mistakes = Callable[[str], list[str]]

ACCOUNT = "accounts: [{api_key: x}]\n"
DURATION = "write it like 500ms, 15s, 5m, 1h30m or 30d"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("poll: {}\n", "config.yaml: accounts: is missing; add it"),
        ("accounts: []\n", "config.yaml:1: accounts: is empty; add at least one account"),
        (
            "accounts: {name: a}\n",
            "config.yaml:1: accounts: must be a list; write each item as '- item', or [] for none",
        ),
        (
            "accounts: [x]\n",
            "config.yaml:1: accounts[0]: must be a mapping; indent its keys below it",
        ),
        (
            "accounts:\n- name: a\n",
            (
                "config.yaml:2: accounts[0].api_key_file: is missing, and so is api_key; "
                "set one of the two"
            ),
        ),
        (
            "accounts:\n- api_key: x\n  api_key_file: y\n",
            (
                "config.yaml:3: accounts[0].api_key_file: "
                "cannot be combined with api_key; keep one of the two"
            ),
        ),
        (
            "accounts:\n- nme: a\n  api_key: x\n",
            "config.yaml:2: accounts[0].nme: unknown key; did you mean name?",
        ),
        (
            "accounts:\n- api_key: '${NONE}'\n",
            (
                "config.yaml:2: accounts[0].api_key: environment variable NONE is not set; "
                "set it, or write the value"
            ),
        ),
        (
            "accounts:\n- api_key: '${EMPTY}'\n",
            "config.yaml:2: accounts[0].api_key: is empty; put the API key there",
        ),
        (
            "accounts:\n- api_key: 12345\n",
            "config.yaml:2: accounts[0].api_key: must be text; put it in quotes",
        ),
        (
            "accounts:\n- api_key_file: /nowhere/key\n",
            (
                "config.yaml:2: accounts[0].api_key_file: "
                "cannot be read (No such file or directory); check the path and permissions"
            ),
        ),
        (
            "accounts:\n- {name: a, api_key: x}\n- name: a\n  api_key: y\n",
            (
                "config.yaml:3: accounts[1].name: is also the name of accounts[0]; "
                "give each account a unique name"
            ),
        ),
        (
            "accounts:\n- {api_key: x}\n- {api_key: y}\n",
            (
                "config.yaml:3: accounts[1].name: is also the name of accounts[0]; "
                "give each account a unique name"
            ),
        ),
        (
            "accounts:\n- api_key: x\n  base_url: http://api.telnyx.com/v2\n",
            (
                "config.yaml:3: accounts[0].base_url: "
                "could send the API key unencrypted to another host; "
                "use https, or http with localhost, 127.0.0.1 or [::1]"
            ),
        ),
        (
            "accounts:\n- api_key: x\n  managed_account_id: 'a b'\n",
            (
                "config.yaml:3: accounts[0].managed_account_id: "
                "is not an ID of Telnyx; copy it from the list of managed accounts"
            ),
        ),
        (
            "accounts:\n- api_key: x\n  statuses: [failed, in_progress]\n",
            "config.yaml:3: accounts[0].statuses[1]: unknown status; did you mean in-progress?",
        ),
        (
            ACCOUNT + "pol: {}\n",
            "config.yaml:2: pol: unknown key; did you mean poll?",
        ),
        (
            ACCOUNT + "poll:\n",
            "config.yaml:2: poll: must be a mapping; indent its keys below it",
        ),
        (
            ACCOUNT + "poll:\n  interval: 60\n",
            f"config.yaml:3: poll.interval: has no unit; {DURATION}",
        ),
        (
            ACCOUNT + "poll:\n  interval: 0\n",
            f"config.yaml:3: poll.interval: must be greater than 0; {DURATION}",
        ),
        (
            ACCOUNT + "poll:\n  request_timeout: true\n",
            f"config.yaml:3: poll.request_timeout: is not a duration; {DURATION}",
        ),
        (
            ACCOUNT + "poll:\n  interval: 20m\n",
            (
                "config.yaml:2: poll.audit_interval: is shorter than poll.interval; "
                "make it at least as long"
            ),
        ),
        (
            ACCOUNT + "poll:\n  interval: 1m\n  interval: 2m\n",
            "config.yaml:4: poll.interval: is set twice, first on line 3; keep one",
        ),
        (
            ACCOUNT + "poll:\n  page_size: 251\n",
            ("config.yaml:3: poll.page_size: is out of range; write a whole number from 1 to 250"),
        ),
        *(
            (ACCOUNT + f"metrics:\n  histogram_buckets: {written}\n", f"config.yaml:3: {text}")
            for written, text in (
                (
                    "[]",
                    (
                        "metrics.histogram_buckets: must be a list of seconds; write it like "
                        "[1, 10, 60, 600, 3600]"
                    ),
                ),
                (
                    "60",
                    (
                        "metrics.histogram_buckets: must be a list of seconds; write it like "
                        "[1, 10, 60, 600, 3600]"
                    ),
                ),
                (
                    "[1, 10, 5]",
                    (
                        "metrics.histogram_buckets[2]: must be larger than the one before it; "
                        "sort the list"
                    ),
                ),
                (
                    "[0, 1]",
                    (
                        "metrics.histogram_buckets[0]: is out of range; write seconds, more than 0 "
                        "and at most 1e9"
                    ),
                ),
                (
                    "[1, .inf]",
                    (
                        "metrics.histogram_buckets[1]: is out of range; write seconds, more than 0 "
                        "and at most 1e9"
                    ),
                ),
                (
                    "[1, 5m]",
                    "metrics.histogram_buckets[1]: must be a number; write seconds, like 60 or 0.5",
                ),
                (
                    str(list(range(1, 52))),
                    "metrics.histogram_buckets: has more than 50 bounds; remove some",
                ),
            )
        ),
        (
            ACCOUNT + "metrics:\n  action_types: sen\n",
            "config.yaml:3: metrics.action_types: unknown value; did you mean seen?",
        ),
        (
            ACCOUNT + "poll:\n  concurrency: 1.5\n",
            (
                "config.yaml:3: poll.concurrency: must be a whole number, 1 or more; "
                "write digits only"
            ),
        ),
        (
            ACCOUNT + "poll:\n  rate_limit: .inf\n",
            (
                "config.yaml:3: poll.rate_limit: must be greater than 0; "
                "write requests per second, like 10 or 0.5"
            ),
        ),
        (
            ACCOUNT + "poll:\n  tls_strict: 1\n",
            "config.yaml:3: poll.tls_strict: must be true or false; write one of them",
        ),
        (
            ACCOUNT + "poll:\n  tls_strict: 'yes'\n",
            "config.yaml:3: poll.tls_strict: must be true or false; write one of them",
        ),
        (
            ACCOUNT + "stuck_after: {defualt: 5m}\n",
            "config.yaml:2: stuck_after.defualt: unknown key; did you mean default?",
        ),
        (
            ACCOUNT + "stuck_after: {Enable SIM: 5m}\n",
            (
                "config.yaml:2: stuck_after.Enable SIM: is not an action type; "
                "spell it as Telnyx does, like set_public_ip"
            ),
        ),
        (
            ACCOUNT + "stuck_after: {enable: soon}\n",
            f"config.yaml:2: stuck_after.enable: is not a duration; {DURATION}",
        ),
        (
            ACCOUNT + "reasons:\n- match: x\n",
            "config.yaml:3: reasons[0].class: is missing; add it",
        ),
        (
            ACCOUNT + "reasons:\n- {class: Blocked!, match: x}\n",
            (
                "config.yaml:3: reasons[0].class: "
                "must be lower-case letters, digits and _, beginning with a letter; rename it"
            ),
        ),
        (
            ACCOUNT + "reasons:\n- {class: a, match: '['}\n",
            (
                "config.yaml:3: reasons[0].match: is not a valid regular expression "
                "(unterminated character set at position 0); fix it"
            ),
        ),
        (
            ACCOUNT + "state: {url: 'mysql://u:secret@db/x'}\n",
            (
                "config.yaml:2: state.url: is not an SQLite or PostgreSQL URL; write "
                "sqlite:///file.db, or sqlite:////var/lib/file.db for a path from the root, or "
                "postgresql://USER@HOST/DATABASE"
            ),
        ),
        (
            ACCOUNT + "state: {url: 'postgresql://u:secret@db/x?sslmod=require'}\n",
            (
                "config.yaml:2: state.url: has the parameter sslmod, which PostgreSQL does not "
                "know; did you mean sslmode?"
            ),
        ),
        (
            ACCOUNT + "state:\n  url: 'postgresql://db/x'\n  password_file: /nowhere/password\n",
            (
                "config.yaml:4: state.password_file: "
                "cannot be read (No such file or directory); check the path and permissions"
            ),
        ),
        (
            ACCOUNT + "state: {password_file: /dev/null}\n",
            (
                "config.yaml:2: state.password_file: "
                "is for a postgresql URL only; remove it, or change state.url"
            ),
        ),
        (
            ACCOUNT + "poll: {audit_interval: 60d}\n",
            (
                "config.yaml: state.retention: is shorter than poll.audit_interval; "
                "make it at least as long"
            ),
        ),
        (
            ACCOUNT + "sim_cards: {requests_per_poll: 0}\n",
            (
                "config.yaml:2: sim_cards.requests_per_poll: is out of range; write a whole "
                "number from 1 to 1000, or sim_cards.lookup: false for no lookups"
            ),
        ),
        (
            ACCOUNT + "sim_cards: {lookup: maybe}\n",
            "config.yaml:2: sim_cards.lookup: must be true or false; write one of them",
        ),
        (
            ACCOUNT + "sim_cards: {refresh: 24}\n",
            f"config.yaml:2: sim_cards.refresh: has no unit; {DURATION}",
        ),
        (
            ACCOUNT + "problems: {forget_after: 59s}\n",
            (
                "config.yaml:2: problems.forget_after: is shorter than poll.interval; "
                "make it at least as long"
            ),
        ),
        (
            ACCOUNT + "web: {listen_address: localhost}\n",
            (
                "config.yaml:2: web.listen_address: is not HOST:PORT; "
                "write it like :10874 or 127.0.0.1:10874"
            ),
        ),
        (
            ACCOUNT + "web: {listen_address: []}\n",
            "config.yaml:2: web.listen_address: is empty; write at least one HOST:PORT",
        ),
        (
            ACCOUNT + "web:\n  listen_address:\n  - :1\n  - localhost\n",
            (
                "config.yaml:5: web.listen_address[1]: is not HOST:PORT; "
                "write it like :10874 or 127.0.0.1:10874"
            ),
        ),
        (
            ACCOUNT + "web:\n  listen_address:\n  - 127.0.0.1:1\n  - ':1'\n",
            (
                "config.yaml:5: web.listen_address[1]: "
                "overlaps with another address in the list; remove one"
            ),
        ),
        (
            ACCOUNT + "web: {config_file: ''}\n",
            "config.yaml:2: web.config_file: is empty; set a value, or remove the key",
        ),
        (
            ACCOUNT + "web:\n  external_links:\n  - {name: a, url: https://h}\n  - {name: b}\n",
            "config.yaml:5: web.external_links[1].url: is missing; add it",
        ),
        (
            ACCOUNT + "web:\n  external_links:\n  - name: a\n    url: grafana.example.org\n",
            (
                "config.yaml:5: web.external_links[0].url: is not an http or https URL; "
                "write it like https://grafana.example.org/d/uid"
            ),
        ),
        (
            ACCOUNT + "web:\n  external_links:\n  - {nam: a, name: b, url: https://h}\n",
            "config.yaml:4: web.external_links[0].nam: unknown key; did you mean name?",
        ),
        (
            ACCOUNT + "web: {external_links: https://h}\n",
            (
                "config.yaml:2: web.external_links: must be a list; "
                "write each item as '- item', or [] for none"
            ),
        ),
        (
            ACCOUNT + "log: {level: verbose}\n",
            "config.yaml:2: log.level: unknown value; use one of debug, info, warn, warning, error",
        ),
        (
            ACCOUNT + "log: {format: off}\n",
            "config.yaml:2: log.format: must be text; put it in quotes",
        ),
    ],
    ids=lambda value: None if "\n" in value else value.split(": ", 1)[1][:50],
)
def test_a_mistake_is_told_with_its_place(mistakes: Mistakes, text: str, mistake: str) -> None:
    """One mistake gives one line: file, line, place, what is wrong and how to fix it."""
    assert mistakes(text) == [mistake]


def test_every_mistake_is_told_at_once(mistakes: Mistakes) -> None:
    """Mistakes of every kind come together, in the order of the file."""
    text = """
log: {levl: info}
accounts:
  - api_key: ${NONE}
    base_url: nowhere
  - nme: a
  - api_key_file: /nowhere/key
poll:
  interval: 5x
  interval: 5m
  page_size: 0
"""
    assert [mistake.split(": ")[:2] for mistake in mistakes(text)] == [
        ["config.yaml:2", "log.levl"],
        ["config.yaml:4", "accounts[0].api_key"],
        ["config.yaml:5", "accounts[0].base_url"],
        ["config.yaml:6", "accounts[1].api_key_file"],
        ["config.yaml:6", "accounts[1].name"],
        ["config.yaml:6", "accounts[1].nme"],
        ["config.yaml:7", "accounts[2].name"],
        ["config.yaml:7", "accounts[2].api_key_file"],
        ["config.yaml:10", "poll.interval"],
        ["config.yaml:11", "poll.page_size"],
    ]
