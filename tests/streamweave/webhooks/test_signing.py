import base64

import pytest

from streamweave.webhooks import is_genuine, signed, signing_key

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_614_265_330


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    """The example that the specification's own libraries test with."""
    headers = signed(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_finds_a_message_genuine() -> None:
    assert is_genuine(SECRET, signed(SECRET, "msg_1", NOW, b"{}"), b"{}", now=NOW + 299)


@pytest.mark.parametrize(
    ("change", "body", "now"),
    [
        ({}, b"{ }", NOW),
        ({"webhook-id": "msg_2"}, b"{}", NOW),
        ({"webhook-timestamp": str(NOW + 1)}, b"{}", NOW),
        ({"webhook-timestamp": "now"}, b"{}", NOW),
        ({"webhook-signature": "v1,"}, b"{}", NOW),
        ({}, b"{}", NOW + 301),
        ({}, b"{}", NOW - 301),
    ],
    ids=["other body", "other id", "other time", "no time", "no signature", "played again later", "of the future"],
)
def test_a_receiver_finds_out(change: dict[str, str], body: bytes, now: int) -> None:
    assert not is_genuine(SECRET, {**signed(SECRET, "msg_1", NOW, b"{}"), **change}, body, now=now)


def test_another_secret_signs_otherwise() -> None:
    other = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    assert not is_genuine(other, signed(SECRET, "msg_1", NOW, b"{}"), b"{}", now=NOW)


@pytest.mark.parametrize("secret", ["", "geheim", "whsec_", "whsec_c2hvcnQ=", "whsec_ä", f"whsec_{'A' * 88}"])
def test_a_weak_or_mistyped_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_ and 24 to 64 random bytes in Base64") as refusal:
        signing_key(secret)
    assert refusal.value.__cause__ is None
