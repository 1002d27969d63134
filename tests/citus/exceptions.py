"""Who may break the rules, and why. An origin is a file and a function, as a complaint names it.

Whoever adds a line to ALL_NODES says why its statement cannot name one screening, and how often it is said.
"""

from typing import Final

NAMES_NO_SCREENING: Final = "each table names the screening"

ALL_NODES: Final = {
    "app/db/bookings.py _find": "a list of somebody's or everybody's bookings, by pages",
    "app/db/box_office/buyers.py bookings_of": "a limit counts what a buyer booked anywhere; only where it is set",
    "app/db/box_office/buyers.py holds_of": "a limit counts what a buyer holds anywhere; only where it is set",
    "app/db/box_office/idempotency_keys.py enter": "an organizer's key: was it ever used in a screening?",
    "app/db/box_office/idempotency_keys.py screening_of": "a call that names no screening asks where its key was used",
    "app/db/box_office/sweeping.py _in_portions": "what is old is deleted wherever it is, once in a while",
    "app/db/box_office/sweeping.py forget_addresses": "what belongs to a hold goes with it, wherever it was",
    "app/db/box_office/sweeping.py run_out": "the sweeper looks for holds that have run out in all screenings",
    "app/db/box_office/sweeping.py seconds_to_next_end": "the sweeper asks how long it may sleep",
    "app/db/people/joining.py screenings_of": "a guest signs in: in which screenings do they have anything?",
    "app/db/reservations.py newest": "a list of somebody's or everybody's holds, by pages",
    "app/db/reservations.py screening_of": "a call has only the id of a reservation, and another process made it",
    "app/db/reservations.py screenings_with_holds": "somebody signs out or leaves: what they hold is released",
}
"""What asks all nodes, and does nothing else that they refuse: this is only slow, and waits for the slowest."""

_COUNTERS = "until plans and counters are apart, it joins what is distributed with `screenings`"
_ROWS = "until its rows have types"

UNTIL_REWRITTEN: Final = {
    "app/db/bookings.py _find": _ROWS,
    "app/db/box_office/closing.py interrupted": _COUNTERS,
    "app/db/box_office/sweeping.py _in_portions": "until it deletes by age, without ctid",
    "app/db/people/emails.py forget": "until it asks for emails, holds and bookings one after the other",
    "app/db/people/joining.py move": "until it moves what a guest has screening by screening",
    "app/db/people/users.py account": "until it counts holds and bookings in statements of their own",
    "app/db/people/users.py forget_guest": "until it asks for guests and for what they have one after the other",
    "app/db/people/users.py recent_bookings": _COUNTERS,
    "app/db/planning.py in_use": "until it asks screening by screening",
    "app/db/demo.py seat_to_try": _COUNTERS,
    "app/db/reservations.py newest": _ROWS,
    "app/db/reservations.py one": _ROWS,
    "app/db/reservations.py screening_of": _COUNTERS,
    "app/db/reservations.py with_seat": _COUNTERS,
    "app/db/seat_maps/occupancy.py changed": _COUNTERS,
    "app/db/seat_maps/occupancy.py read": _COUNTERS,
    "app/db/seat_maps/seat_events.py after": _COUNTERS,
    "app/db/seat_maps/seat_events.py lost_by": "until each of its tables names the screening",
    "app/db/seat_maps/seat_events.py since": _COUNTERS,
}
"""What is not yet as it must be, and may break every rule. This table becomes empty."""
