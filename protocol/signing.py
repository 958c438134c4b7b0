"""Signs and opens documents (compact JWS, EdDSA over Ed25519: RFC 7515, RFC 8037), and checks each key's rights.

A signature alone is not enough: the document names the exact topic it was signed for (``audience``) and its
kind (``typ``), so that a good signature cannot be moved elsewhere.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import EdDSAAlgorithm, JWSAlgModel
from joserfc.jwk import OKPKey

from protocol import codec, topics
from protocol.messages import AgentConfig, Command, DeclarationSet, TrustedKey
from protocol.owned_files import give_to_owner_of
from protocol.public_keys import refuse_forgeable
from protocol.refusal import Reason, Refused
from protocol.words import KeyRole, ScopeKind, door_mode_for

Signed = TypeVar("Signed", DeclarationSet, AgentConfig, Command)

_ALGORITHM = "EdDSA"
_TYPES: dict[type, str] = {
    DeclarationSet: "doorward-declarations+jws",
    AgentConfig: "doorward-config+jws",
    Command: "doorward-command+jws",
}


class _Ed25519ByItsOldName(EdDSAAlgorithm):
    """RFC 9864 renames EdDSA-over-Ed25519 to "Ed25519" and deprecates the old name for its other curves, which
    :class:`SigningKey` and ``_public`` refuse; so the library's warning does not apply here.
    """

    security_warning = ""


class _OurRegistry(jws.JWSRegistry):
    """Allows one algorithm, and documents as large as codec.LIMITS (the library stops at 128 kB)."""

    algorithms: ClassVar[dict[str, JWSAlgModel]] = {_ALGORITHM: _Ed25519ByItsOldName()}  # type: ignore[misc]
    max_payload_length = codec.MAX_PACKET_BYTES


_registry = _OurRegistry(algorithms=[_ALGORITHM])


class SigningKey:
    """A private key with its name. Kept in a JWK file of mode 0600."""

    def __init__(self, kid: str, key: OKPKey) -> None:
        if key.get("crv") != "Ed25519" or not key.is_private:
            raise ValueError(f"key {kid!r}: expected a private Ed25519 key")
        self.kid = kid
        self._key = key

    @classmethod
    def generate(cls, kid: str) -> "SigningKey":
        """A new key from the system's randomness."""
        return cls(kid, OKPKey.generate_key("Ed25519", {"kid": kid}))

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """Read a key file. ValueError names its fault, also if other users can read it."""
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise ValueError(f"{path}: mode {mode:04o} lets others read a private key; chmod 600 it")
        try:
            content = json.loads(path.read_text())
            return cls(content["kid"], OKPKey.import_key(content))
        except (KeyError, TypeError, json.JSONDecodeError, JoseError) as error:
            raise ValueError(f"{path}: expected an Ed25519 private JWK with a kid: {error}") from None

    def save(self, path: Path) -> None:
        """Write the key file, readable by its owner alone from its first byte. Never overwrites.

        Root writes it for the owner of its folder.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            give_to_owner_of(path.parent, descriptor)
            json.dump({**self._key.as_dict(private=True), "kid": self.kid}, file)

    def trusted(self, role: KeyRole, *, site: str | None = None, agent: str | None = None) -> TrustedKey:
        """The public half, for others to trust."""
        return TrustedKey(
            kid=self.kid, x=str(self._key.as_dict(private=False)["x"]), role=role, site=site, agent=agent
        )

    def sign(self, document: DeclarationSet | AgentConfig | Command) -> bytes:
        """Sign a document as a compact JWS. ValueError if it is larger than a receiver accepts."""
        payload = self.sign_bytes(_TYPES[type(document)], codec.encode(document))
        codec.check_size(type(document), payload)
        return payload

    def sign_bytes(self, typ: str, content: bytes) -> bytes:
        """Sign any content as a compact JWS, for a document that does not travel. ``typ`` names its kind, so that the
        signature fits no other.
        """
        header = {"alg": _ALGORITHM, "kid": self.kid, "typ": typ}
        return jws.serialize_compact(header, content, self._key, registry=_registry).encode("ascii")


class Keyring:
    """The public keys that a receiver trusts.

    ValueError for an invalid key, or one for which others than its holder could sign.
    """

    def __init__(self, keys: Iterable[TrustedKey]) -> None:
        self._keys = {key.kid: (key, _public(key)) for key in keys}

    def __contains__(self, kid: object) -> bool:
        return kid in self._keys

    def signer(self, payload: bytes) -> TrustedKey | None:
        """The trusted key that a JWS names, without a check of its signature: that is :meth:`open`'s."""
        kid = _header(payload).get("kid")
        return self._keys[kid][0] if isinstance(kid, str) and kid in self._keys else None

    def open(self, kind: type[Signed], topic: str, payload: bytes) -> Signed:
        """Open the document in a JWS that arrived on a topic, if its signer may sign it for there.

        Raises :class:`Refused`: oversized, not_signed, wrong_algorithm, unknown_key, bad_signature,
        malformed, wrong_target or not_allowed.
        """
        codec.check_size(kind, payload)
        trusted, content = self._opened(_TYPES[kind], payload)
        document = codec.decode(kind, content)
        if document.audience != topic:
            raise Refused(Reason.WRONG_TARGET, f"signed for {document.audience!r}, arrived on {topic!r}")
        _check_allowed(trusted, document)
        return document

    def open_bytes(self, typ: str, payload: bytes) -> bytes:
        """Open the content of a JWS of :meth:`SigningKey.sign_bytes`; the caller checks the signer's right.

        Raises :class:`Refused`: not_signed, wrong_algorithm, unknown_key, bad_signature or wrong_target (``typ``).
        """
        return self._opened(typ, payload)[1]

    def _opened(self, typ: str, payload: bytes) -> tuple[TrustedKey, bytes]:
        header = _header(payload)
        if header.get("alg") != _ALGORITHM:
            raise Refused(Reason.WRONG_ALGORITHM, f"signed with {header.get('alg')!r}, expected {_ALGORITHM}")
        kid = header.get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            raise Refused(Reason.UNKNOWN_KEY, f"key {kid!r} is not among the {len(self._keys)} trusted ones")
        trusted, public = self._keys[kid]
        try:
            opened = jws.deserialize_compact(payload, public, registry=_registry)
        except Exception as error:  # noqa: BLE001 - whatever a made-up header has the library raise
            raise Refused(Reason.BAD_SIGNATURE, f"key {kid!r}: {error}") from None
        if header.get("typ") != typ:
            raise Refused(Reason.WRONG_TARGET, f"typ {header.get('typ')!r}, expected {typ!r}")
        return trusted, bytes(opened.payload)


def _public(key: TrustedKey) -> OKPKey:
    """The key in the library's form; ValueError if its x is invalid, or if anyone could sign for it."""
    try:
        refuse_forgeable(key.x)
    except ValueError as error:
        raise ValueError(f"key {key.kid!r}: {error}") from None
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.x, "kid": key.kid})


def _header(payload: bytes) -> dict[str, Any]:
    try:
        return dict(jws.extract_compact(payload, registry=_registry).headers())
    except (JoseError, ValueError, TypeError, UnicodeError) as error:
        raise Refused(Reason.NOT_SIGNED, f"not a compact JWS: {error}") from None


def _check_allowed(key: TrustedKey, document: DeclarationSet | AgentConfig | Command) -> None:
    """A district key signs for the district; an agent's key for that agent alone, and only to lock."""
    topic = topics.parse(document.audience)
    own = topic.kind is topics.TopicKind.DECLARATIONS and topic.agent is not None
    if key.role is KeyRole.DISTRICT:
        if own:
            raise Refused(Reason.NOT_ALLOWED, f"{document.audience} is the agent's own to sign")
        return
    if not (own and (topic.site, topic.agent) == (key.site, key.agent)):
        raise Refused(Reason.NOT_ALLOWED, f"agent key {key.kid!r} may not sign for {document.audience}")
    assert isinstance(document, DeclarationSet)
    for declaration in document.declarations:
        if declaration.scope.site != key.site or declaration.scope.kind is ScopeKind.DISTRICT:
            raise Refused(Reason.NOT_ALLOWED, f"agent key {key.kid!r} declared outside its site")
        if door_mode_for(declaration.action, perimeter=True) is None:
            raise Refused(Reason.NOT_ALLOWED, f"an agent may only lock, not declare {declaration.action!r}")
    if document.ended:
        raise Refused(Reason.NOT_ALLOWED, "an agent may not end a declaration")
