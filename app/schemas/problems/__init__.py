"""Problems: what callers read about refusals, faults and errors (docs/api.md, section 3; RFC 9457).

`kinds` has the codes with their statuses, titles and advice; `sentences` has what the `detail` of a problem says.
"""

from app.schemas.problems.kinds import KINDS, Kind, Problem, kind_of_status, problem_json

__all__ = ["KINDS", "Kind", "Problem", "kind_of_status", "problem_json"]
