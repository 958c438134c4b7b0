"""Who may do what: everybody signed in may lock, nobody alone holds every key but the administrator."""

import pytest

from central.people.roles import Right, Role, may, roles_with


@pytest.mark.parametrize("role", Role)
def test_everybody_may_look_and_declare(role: Role) -> None:
    assert may(role, Right.LOOK)
    assert may(role, Right.DECLARE)


def test_facilities_work_on_doors_and_release_nothing() -> None:
    assert may(Role.FACILITIES, Right.COMMAND)
    assert not may(Role.FACILITIES, Right.RELEASE)
    assert not may(Role.RESPONDER, Right.COMMAND)


def test_only_an_administrator_administers() -> None:
    assert roles_with(Right.ADMINISTER) == [Role.ADMINISTRATOR]


def test_every_right_is_somebodys() -> None:
    assert all(roles_with(right) for right in Right)
