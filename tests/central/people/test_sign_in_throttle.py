from central.people.sign_in_throttle import SignInThrottle

NAT = "203.0.113.7"


def sign_in(throttle: SignInThrottle, name: str, *, right: bool, now_ms: int, source: str = NAT) -> bool:
    """As central.people.accounts does it; whether it got as far as the password."""
    if throttle.wait_ms(name, source, now_ms) > 0:
        return False
    throttle.failed(name, source, now_ms)
    if right:
        throttle.succeeded(name, source)
    return True


def test_a_whole_school_behind_one_address_signs_in_without_waiting() -> None:
    throttle = SignInThrottle()
    for number in range(500):
        assert sign_in(throttle, f"officer{number % 40}", right=True, now_ms=number)


def test_a_right_password_takes_back_its_own_count_and_nobody_elses() -> None:
    throttle = SignInThrottle()
    for number in range(19):
        assert sign_in(throttle, f"guess{number}", right=False, now_ms=number)
    for number in range(50):
        assert sign_in(throttle, "officer", right=True, now_ms=100 + number)
    assert sign_in(throttle, "guess", right=False, now_ms=200)
    assert not sign_in(throttle, "another", right=False, now_ms=201), "twenty wrong ones from one address"


def test_who_guesses_in_a_school_holds_up_the_others_there_by_two_seconds_at_the_most() -> None:
    throttle = SignInThrottle()
    for number in range(2_000):
        throttle.failed(f"guess{number}", NAT, 300 * number)
    assert 0 < throttle.wait_ms("officer", NAT, 600_000) <= 2_000


def test_who_has_signed_in_there_before_is_not_held_up_by_who_guesses() -> None:
    throttle, now_ms = SignInThrottle(), 0
    assert sign_in(throttle, "officer", right=True, now_ms=now_ms)
    for number in range(2_000):
        now_ms += 300
        sign_in(throttle, f"guess{number}", right=False, now_ms=now_ms)
        throttle.failed("officer", f"198.51.100.{number}", now_ms)
    assert throttle.wait_ms("officer", "203.0.113.8", now_ms) > 0, "nobody knows the officer there"
    for _ in range(5):
        assert sign_in(throttle, "officer", right=False, now_ms=now_ms)
    assert throttle.wait_ms("officer", NAT, now_ms) == 1_000, "who guesses at the officer right there must wait"


def test_the_addresses_of_one_ipv6_network_are_one_source() -> None:
    throttle = SignInThrottle()
    for number in range(20):
        assert sign_in(throttle, f"guess{number}", right=False, now_ms=number, source=f"2001:db8:0:1::{number:x}")
    assert not sign_in(throttle, "another", right=False, now_ms=20, source="2001:db8:0:1:ffff::1")
    assert sign_in(throttle, "another", right=False, now_ms=20, source="2001:db8:0:2::1")


def test_ipv4_addresses_in_ipv6_form_are_counted_one_by_one() -> None:
    throttle = SignInThrottle()
    for number in range(20):
        assert sign_in(throttle, f"guess{number}", right=False, now_ms=number, source=f"::ffff:{NAT}")
    assert not sign_in(throttle, "another", right=False, now_ms=20)
    assert sign_in(throttle, "another", right=False, now_ms=20, source="::ffff:203.0.113.8")


def test_guessing_at_one_name_waits_longer_each_time_up_to_a_minute() -> None:
    throttle, now_ms = SignInThrottle(), 0
    waits = []
    for _ in range(14):
        waits.append(throttle.wait_ms("officer", NAT, now_ms))
        now_ms += waits[-1]
        assert sign_in(throttle, "officer", right=False, now_ms=now_ms)
    assert waits[:5] == [0] * 5
    assert waits[5:12] == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]
    assert waits[-1] == 60_000


def test_guessing_from_elsewhere_holds_an_officer_up_by_two_seconds_at_the_most() -> None:
    throttle = SignInThrottle()
    for number in range(2_000):
        throttle.failed("officer", f"198.51.100.{number}", number)
    assert 0 < throttle.wait_ms("officer", NAT, 2_000) <= 2_000
