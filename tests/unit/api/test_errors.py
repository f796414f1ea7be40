"""Every refusal of the service's own has its answer, and no answer waits for none."""

from __future__ import annotations

from api import errors
from api.http.problems import ANSWERS, problem_of


def test_every_error_has_an_answer() -> None:
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ServiceError)
    }
    assert set(ANSWERS) == kinds - {errors.ServiceError}


def test_an_error_tells_its_text_and_when_to_come_again() -> None:
    problem = problem_of(errors.DatabaseAway("the database does not answer"))
    assert (problem.status_code, problem.detail) == (503, "the database does not answer")
    assert problem.headers == {"Retry-After": "2"}
    assert problem_of(errors.WrongState("draft")).detail == "it is draft"
