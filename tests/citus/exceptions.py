"""Who may break the rules, and why. An origin is a file and a function, as a complaint names it.

Whoever adds a line to ALL_NODES says why its statement cannot name one screening, and how often it is said.
"""

from typing import Final

NAMES_NO_SCREENING: Final = "each table names the screening"

ALL_NODES: Final = {
    "app/db/bookings.py _find": "a list of somebody's or everybody's bookings, by pages",
    "app/db/bookings.py forget_reasons": "somebody leaves: why their bookings were cancelled is forgotten",
    "app/db/bookings.py reasons": "an organizer reads a page of bookings, and why they were cancelled",
    "app/db/box_office/buyers.py bookings_of": "a limit counts what a buyer booked anywhere; only where it is set",
    "app/db/box_office/buyers.py holds_of": "a limit counts what a buyer holds anywhere; only where it is set",
    "app/db/box_office/idempotency_keys.py enter": "an organizer's key: was it ever used in a screening?",
    "app/db/box_office/idempotency_keys.py screening_of": "a call that names no screening asks where its key was used",
    "app/db/box_office/sweeping.py _in_portions": "what is old is deleted wherever it is, once in a while",
    "app/db/box_office/sweeping.py ending": "the sweeper looks for holds that have run out, for all processes",
    "app/db/box_office/sweeping.py forget_addresses": "what belongs to a hold goes with it, wherever it was",
    "app/db/cluster/asking.py ask": "asks for many screenings at once: the maps that are watched",
    "app/db/cluster/asking.py ask_all": "asks each node for what somebody has in its screenings",
    "app/db/money/dummy_bank.py charge_of": "the dummy provider is asked for a charge by its reference alone",
    "app/db/money/dummy_bank.py newest": "an admin reads the dummy provider's books, by pages",
    "app/db/money/dummy_bank.py to_report": "the dummy provider looks for what it has to report, for all processes",
    "app/db/money/books.py still_open": "the doctor looks into all books, when it is asked to",
    "app/db/money/books.py totals": "the doctor looks into all books, when it is asked to",
    "app/db/money/books.py wrong": "the doctor looks into all books, when it is asked to",
    "app/db/money/payments.py by_reference": "a provider reports a payment by its own name for it",
    "app/db/money/payments.py due": "the finisher looks for payments that are not decided, for all processes",
    "app/db/money/payments.py entries_of": "what happened with the payments of one page of a list",
    "app/db/money/payments.py newest": "an organizer's list of payments, by pages",
    "app/db/money/refunds.py due": "refunds are carried out by whoever looks for them, for all processes",
    "app/db/money/refunds.py still_open": "a figure for those who watch: how many refunds are open in the installation",
    "app/db/people/joining.py screenings_of": "a guest signs in: in which screenings do they have anything?",
    "app/db/people/emails.py forget": "somebody who left is forgotten when nothing counts them: looked for at times",
    "app/db/seat_maps/occupancy.py map_versions": "asks for many screenings at once: the maps that are watched",
    "app/db/house/planning.py in_use": "an organizer takes seats out of a layout: in which screenings are they sold?",
    "app/db/transfers.py newest": "a list of what somebody offered or accepted, by pages",
    "app/db/reservations.py one": "somebody reads one of their holds by its id alone",
    "app/db/reservations.py with_seat": "somebody confirms a seat and does not say in which screening",
    "app/db/reservations.py newest": "a list of somebody's or everybody's holds, by pages",
    "app/db/reservations.py screening_of": "a call has only the id of a reservation, and another process made it",
    "app/db/reservations.py screenings_with_holds": "somebody signs out or leaves: what they hold is released",
}
"""What asks all nodes, and does nothing else that they refuse: this is only slow, and waits for the slowest."""

UNTIL_REWRITTEN: Final[dict[str, str]] = {}
"""What is not yet as it must be, and may break every rule. This table becomes empty."""
