from streamweave.identity.passwords import hash_password, password_matches


def test_a_password_matches_its_own_hash_only() -> None:
    hashed = hash_password("adminpassword123")
    assert hashed.startswith("$argon2id$")
    assert password_matches("adminpassword123", hashed)
    assert not password_matches("adminpassword124", hashed)


def test_nobodys_password_matches_nothing() -> None:
    assert not password_matches("nobody", None)
    assert not password_matches("nobody", "not a hash")


def test_the_same_password_has_another_hash_each_time() -> None:
    assert hash_password("adminpassword123") != hash_password("adminpassword123")
