"""Who vouches for a ledger: Ed25519 keys, as files and as text.

A private key leaves memory only through `Signer.save`. Everything here needs the extra `trace`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from crucible.errors import SpecError, StoreError, require
from crucible.ir.files import atomic_write, sync_folder

__all__ = ["PublicKey", "Signer"]

_PREFIX = "ed25519:"


def _ed25519() -> Any:
    return require("cryptography.hazmat.primitives.asymmetric.ed25519", extra="trace", feature="signing a trace")


def _serialization() -> Any:
    return require("cryptography.hazmat.primitives.serialization", extra="trace", feature="signing a trace")


class PublicKey(msgspec.Struct, frozen=True):
    """What checks signatures; it may be given to anybody.

    Args:
        text: `ed25519:` and the key in base64, 44 characters; `str()` returns it.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    @classmethod
    def from_file(cls, path: str | Path) -> PublicKey:
        """Read a key from a PEM file, or from a file that holds its text.

        Raises:
            StoreError: The file cannot be read.
            SpecError: It holds no Ed25519 public key.
            MissingExtra: It is PEM, and the extra `trace` is not installed.
        """
        content = _read(Path(path))
        text = content.decode("ascii", "replace").strip()
        if text.startswith(_PREFIX):
            key = cls(text)
            if key.raw() is not None:
                return key
        kind = _ed25519()
        with contextlib.suppress(ValueError, TypeError):
            loaded = _serialization().load_pem_public_key(content)
            if isinstance(loaded, kind.Ed25519PublicKey):
                return cls(_text_of(loaded))
        raise SpecError(f"{path} holds no Ed25519 public key; give a PEM file or a line ed25519:…", code="key")

    def save(self, path: str | Path) -> Path:
        """Write the key's text as one line and return the path; an old file is replaced.

        Raises:
            StoreError: The file cannot be written.
        """
        return atomic_write(Path(path), f"{self.text}\n")

    def raw(self) -> bytes | None:
        """Return the key's 32 bytes; None if the text is no key."""
        try:
            value = base64.b64decode(self.text.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            return None
        return value if len(value) == 32 and self.text.startswith(_PREFIX) else None

    def verifies(self, message: bytes, signature: str) -> bool:
        """Return whether `signature` is this key's for `message`; False also for what is no signature or no key.

        Raises:
            MissingExtra: The extra `trace` is not installed.
        """
        return self.checker()(message, signature)

    def checker(self) -> Callable[[bytes, str], bool]:
        """Return `verifies` for many messages: the key is read once.

        Raises:
            MissingExtra: The extra `trace` is not installed.
        """
        kind = _ed25519()
        raw = self.raw()
        if raw is None:
            return lambda _message, _signature: False
        return partial(_holds, kind.Ed25519PublicKey.from_public_bytes(raw))


class Signer:
    """A private Ed25519 key; make one with `generate` or `from_file`."""

    __slots__ = ("_key", "public_key")

    public_key: PublicKey
    """What checks this signer's signatures."""

    def __init__(self, key: Any) -> None:
        self._key = key
        self.public_key = PublicKey(_text_of(key.public_key()))

    def __repr__(self) -> str:
        return f"Signer(public_key={self.public_key.text!r})"

    @classmethod
    def generate(cls) -> Signer:
        """Make a new key.

        Raises:
            MissingExtra: The extra `trace` is not installed.
        """
        return cls(_ed25519().Ed25519PrivateKey.generate())

    @classmethod
    def from_file(cls, path: str | Path, password: str | None = None) -> Signer:
        """Read a key from a PEM file (PKCS8).

        Raises:
            StoreError: The file cannot be read.
            SpecError: It holds no Ed25519 private key, or the password is wrong or missing.
            MissingExtra: The extra `trace` is not installed.
        """
        kind = _ed25519()
        content = _read(Path(path))
        try:
            key = _serialization().load_pem_private_key(content, None if password is None else password.encode())
        except TypeError:
            asked = "needs a password" if password is None else "has no password, but one was given"
            raise SpecError(f"{path} {asked}", code="password") from None
        except ValueError:
            hint = "" if password is None else " or the password is wrong"
            raise SpecError(f"{path} holds no private key in PEM{hint}; expected PKCS8", code="key") from None
        except Exception as error:  # noqa: BLE001  # the library's own refusals of algorithms have no common root
            raise SpecError(f"{path} cannot be used ({type(error).__name__}); expected Ed25519", code="key") from None
        if not isinstance(key, kind.Ed25519PrivateKey):
            raise SpecError(f"{path} holds a {type(key).__name__}, expected an Ed25519 private key", code="key")
        return cls(key)

    def save(self, path: str | Path, password: str | None = None) -> Path:
        """Write the key as a PEM file (PKCS8) that only its owner may read, and return the path.

        Args:
            path: Where; a file that is there is never replaced, for a key that is lost cannot be made again.
            password: Encrypts the key; None writes it as it is.

        Raises:
            StoreError: The file is there already or cannot be written.
        """
        target = Path(path)
        forms = _serialization()
        lock = forms.BestAvailableEncryption(password.encode()) if password else forms.NoEncryption()
        content: bytes = self._key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, lock)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise StoreError(f"{target} is there already; keys are never replaced, choose another name") from None
        except OSError as error:
            raise StoreError(f"{target} cannot be written ({error.strerror or error})") from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                target.unlink()
            raise StoreError(f"{target} cannot be written ({error.strerror or error})") from error
        sync_folder(target.parent)
        return target

    def sign(self, message: bytes) -> str:
        """Return the signature of a message in base64, 88 characters."""
        return base64.b64encode(self._key.sign(message)).decode()


def _text_of(key: Any) -> str:
    return _PREFIX + base64.b64encode(key.public_bytes_raw()).decode()


def _holds(key: Any, message: bytes, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except Exception:  # noqa: BLE001  # wrong, malformed or no text at all: it does not hold
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror or error}); check the path") from error
