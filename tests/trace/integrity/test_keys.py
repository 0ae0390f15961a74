"""Keys, as files and as text."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from crucible.errors import SpecError, StoreError
from crucible.trace.integrity import PublicKey, Signer


@pytest.mark.parametrize("password", [None, "päss wörd"])
def test_round_trip(tmp_path: Path, password: str | None) -> None:
    """A saved key signs as before; only its owner may read the file."""
    signer = Signer.generate()
    path = signer.save(tmp_path / "new" / "key.pem", password)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN " + (b"ENCRYPTED " if password else b"") + b"PRIVATE KEY-----")
    again = Signer.from_file(path, password)
    assert again.public_key == signer.public_key
    assert signer.public_key.verifies(b"message", again.sign(b"message"))
    assert not signer.public_key.verifies(b"other", again.sign(b"message"))
    assert not Signer.generate().public_key.verifies(b"message", again.sign(b"message"))


def test_never_replaced(tmp_path: Path) -> None:
    """A key's file is never overwritten, nor is what a link points to."""
    signer = Signer.generate()
    path = signer.save(tmp_path / "key.pem")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="never replaced"):
        Signer.generate().save(path)
    (tmp_path / "link.pem").symlink_to(tmp_path / "absent")
    with pytest.raises(StoreError):
        signer.save(tmp_path / "link.pem")
    assert path.read_bytes() == before
    with pytest.raises(StoreError):
        signer.save(path / "inside a file")


def test_passwords(tmp_path: Path) -> None:
    """A wrong, missing or needless password is told apart from a broken file."""
    locked = Signer.generate().save(tmp_path / "locked.pem", "right")
    with pytest.raises(SpecError, match="password is wrong"):
        Signer.from_file(locked, "wrong")
    with pytest.raises(SpecError, match="needs a password"):
        Signer.from_file(locked)
    with pytest.raises(SpecError, match="has no password"):
        Signer.from_file(Signer.generate().save(tmp_path / "open.pem"), "any")


def test_wrong_files(tmp_path: Path) -> None:
    """What holds no Ed25519 key is refused with its name; a missing file is a store error."""
    path = tmp_path / "key"
    path.write_bytes(b"\xff\x00nothing")
    with pytest.raises(SpecError, match="no private key"):
        Signer.from_file(path)
    with pytest.raises(SpecError, match="no Ed25519 public key"):
        PublicKey.from_file(path)
    other = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.raises(SpecError, match="expected an Ed25519"):
        Signer.from_file(path)
    with pytest.raises(StoreError):
        Signer.from_file(tmp_path / "absent")
    with pytest.raises(StoreError):
        PublicKey.from_file(tmp_path)


def test_public_key_files(tmp_path: Path) -> None:
    """A public key is read from its own file and from PEM, as other tools write it."""
    private = ed25519.Ed25519PrivateKey.generate()
    signer = Signer(private)
    assert PublicKey.from_file(signer.public_key.save(tmp_path / "key.pub")) == signer.public_key
    pem = tmp_path / "key.pem"
    pem.write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    assert PublicKey.from_file(pem) == signer.public_key
    assert str(signer.public_key).startswith("ed25519:")


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "nothing", "ed25519:" + "!" * 44, "\ud800"])
def test_no_key(text: str) -> None:
    """A text that is no key verifies nothing, and a signature that is none does not hold."""
    assert not PublicKey(text).verifies(b"", "")
    for signature in (text, "AAAA", "\x00"):
        assert not Signer.generate().public_key.verifies(b"", signature)


def test_not_shown() -> None:
    """Printing a signer shows the public key alone."""
    signer = Signer.generate()
    assert repr(signer) == f"Signer(public_key={signer.public_key.text!r})"


def test_umask(tmp_path: Path) -> None:
    """The file is private whatever the umask."""
    before = os.umask(0)
    try:
        assert stat.S_IMODE(Signer.generate().save(tmp_path / "key").stat().st_mode) == 0o600
    finally:
        os.umask(before)
