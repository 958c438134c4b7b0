import base64
import json
import stat
from pathlib import Path

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from protocol import codec, topics
from protocol.messages import AgentConfig, Command, Credential, Declaration, DeclarationSet, Scope
from protocol.refusal import Reason, Refused
from protocol.signing import Keyring, SigningKey
from protocol.topics import TopicKind
from protocol.words import KeyRole, ScopeKind

DISTRICT = topics.district_declarations()
OWN = topics.of_agent(TopicKind.DECLARATIONS, "oak", "east")


def declaration(
    site: str | None = None, action: str = "lockdown", *, kind: ScopeKind = ScopeKind.SITE
) -> Declaration:
    scope = Scope(kind=kind, site=site) if site else Scope(kind=ScopeKind.DISTRICT)
    return Declaration(id="d1", action=action, scope=scope, by="officer", at_ms=1)


@pytest.fixture(scope="module")
def district() -> SigningKey:
    return SigningKey.generate("district-1")


@pytest.fixture(scope="module")
def agent() -> SigningKey:
    return SigningKey.generate("oak-east")


@pytest.fixture(scope="module")
def keyring(district: SigningKey, agent: SigningKey) -> Keyring:
    return Keyring([district.trusted(KeyRole.DISTRICT), agent.trusted(KeyRole.AGENT, site="oak", agent="east")])


def refusal(keyring: Keyring, kind: type, topic: str, payload: bytes) -> Reason:
    with pytest.raises(Refused) as refused:
        keyring.open(kind, topic, payload)
    return refused.value.reason


def test_a_signed_set_opens_on_the_topic_it_was_signed_for(district: SigningKey, keyring: Keyring) -> None:
    document = DeclarationSet(audience=DISTRICT, revision=3, declarations=(declaration(),))
    assert keyring.open(DeclarationSet, DISTRICT, district.sign(document)) == document


def test_a_set_altered_in_any_one_byte_is_refused(district: SigningKey, keyring: Keyring) -> None:
    token = district.sign(DeclarationSet(audience=DISTRICT, revision=3, declarations=(declaration(),)))
    for position, byte in enumerate(token):
        for other in {byte ^ 1, byte ^ 0x20, ord("A"), ord(".")} - {byte}:
            altered = token[:position] + bytes([other]) + token[position + 1 :]
            with pytest.raises(Refused):
                keyring.open(DeclarationSet, DISTRICT, altered)


def test_a_good_signature_moved_to_another_topic_is_refused(district: SigningKey, keyring: Keyring) -> None:
    token = district.sign(DeclarationSet(audience=topics.site_declarations("oak"), revision=1))
    assert refusal(keyring, DeclarationSet, topics.site_declarations("elm"), token) is Reason.WRONG_TARGET
    assert refusal(keyring, DeclarationSet, DISTRICT, token) is Reason.WRONG_TARGET


def test_a_document_of_one_kind_does_not_open_as_another(district: SigningKey, keyring: Keyring) -> None:
    topic = topics.of_agent(TopicKind.COMMAND, "oak", "east")
    token = district.sign(DeclarationSet(audience=topic, revision=1))
    assert refusal(keyring, Command, topic, token) is Reason.WRONG_TARGET


def test_a_key_nobody_trusts_is_refused(keyring: Keyring) -> None:
    stranger = SigningKey.generate("stranger")
    assert refusal(
        keyring, DeclarationSet, DISTRICT, stranger.sign(DeclarationSet(audience=DISTRICT, revision=1))
    ) is (Reason.UNKNOWN_KEY)


def test_a_stranger_who_takes_a_trusted_name_is_refused(keyring: Keyring) -> None:
    impostor = SigningKey.generate("district-1")
    token = impostor.sign(DeclarationSet(audience=DISTRICT, revision=1))
    assert refusal(keyring, DeclarationSet, DISTRICT, token) is Reason.BAD_SIGNATURE


def test_unsigned_and_hmac_documents_are_refused(district: SigningKey, keyring: Keyring) -> None:
    payload = codec.encode(DeclarationSet(audience=DISTRICT, revision=1))
    public = district.trusted(KeyRole.DISTRICT).x
    header = {"alg": "HS256", "kid": "district-1", "typ": "doorward-declarations+jws"}
    forged = jws.serialize_compact(header, payload, OctKey.import_key(public), algorithms=["HS256"]).encode()
    assert refusal(keyring, DeclarationSet, DISTRICT, forged) is Reason.WRONG_ALGORITHM
    assert refusal(keyring, DeclarationSet, DISTRICT, payload) is Reason.NOT_SIGNED
    assert refusal(keyring, DeclarationSet, DISTRICT, b"a.b.c") is Reason.NOT_SIGNED
    assert refusal(keyring, DeclarationSet, DISTRICT, b"") is Reason.NOT_SIGNED


def test_an_agent_may_lock_its_own_site_down(agent: SigningKey, keyring: Keyring) -> None:
    document = DeclarationSet(audience=OWN, revision=1, declarations=(declaration("oak"),))
    assert keyring.open(DeclarationSet, OWN, agent.sign(document)) == document


@pytest.mark.parametrize(
    "document",
    [
        DeclarationSet(audience=DISTRICT, revision=1),
        DeclarationSet(audience=topics.site_declarations("oak"), revision=1),
        DeclarationSet(audience=topics.of_agent(TopicKind.DECLARATIONS, "oak", "west"), revision=1),
        DeclarationSet(audience=OWN, revision=1, declarations=(declaration(),)),
        DeclarationSet(audience=OWN, revision=1, declarations=(declaration("elm"),)),
        DeclarationSet(audience=OWN, revision=1, declarations=(declaration("oak", "evacuate"),)),
        DeclarationSet(audience=OWN, revision=1, declarations=(declaration("oak", kind=ScopeKind.DISTRICT),)),
        DeclarationSet(audience=OWN, revision=1, ended=("d1",)),
        AgentConfig(audience=topics.of_agent(TopicKind.CONFIG, "oak", "east"), version=1, timezone="UTC", doors=()),
    ],
)
def test_an_agent_may_say_nothing_else(
    agent: SigningKey, keyring: Keyring, document: DeclarationSet | AgentConfig
) -> None:
    assert refusal(keyring, type(document), document.audience, agent.sign(document)) is Reason.NOT_ALLOWED


def test_the_district_does_not_speak_in_an_agents_name(district: SigningKey, keyring: Keyring) -> None:
    token = district.sign(DeclarationSet(audience=OWN, revision=1))
    assert refusal(keyring, DeclarationSet, OWN, token) is Reason.NOT_ALLOWED


def test_a_configuration_of_thousands_of_cardholders_can_be_signed_and_opened(
    district: SigningKey, keyring: Keyring
) -> None:
    topic = topics.of_agent(TopicKind.CONFIG, "oak", "east")
    holders = tuple(Credential(token=f"{number:064x}", cardholder=f"ch-{number}") for number in range(5_000))
    document = AgentConfig(audience=topic, version=1, timezone="UTC", doors=(), credentials=holders)
    assert keyring.open(AgentConfig, topic, district.sign(document)) == document


def test_a_key_file_is_its_owners_alone_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "district.jwk"
    key = SigningKey.generate("district-1")
    key.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.load(path).trusted(KeyRole.DISTRICT) == key.trusted(KeyRole.DISTRICT)
    with pytest.raises(FileExistsError):
        key.save(path)


def test_a_key_file_others_can_read_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "district.jwk"
    SigningKey.generate("district-1").save(path)
    path.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        SigningKey.load(path)


def test_a_key_of_another_curve_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.jwk"
    path.touch(0o600)
    key = OKPKey.generate_key("X25519", {"kid": "k"})
    path.write_text(json.dumps({**key.as_dict(private=True), "kid": "k"}))
    with pytest.raises(ValueError, match="Ed25519"):
        SigningKey.load(path)


def test_a_broken_key_file_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "broken.jwk"
    path.touch(0o600)
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"broken\.jwk.*Ed25519"):
        SigningKey.load(path)


def test_a_header_made_to_break_the_library_is_refused_like_any_other(district: SigningKey, keyring: Keyring) -> None:
    signed = district.sign(DeclarationSet(audience=DISTRICT, revision=1))
    for extra in ({"crit": 5}, {"crit": ["b64"], "b64": False}, {"jwk": []}, {"x5c": 1}, {"cty": None}):
        header = {"alg": "EdDSA", "kid": "district-1", "typ": "doorward-declarations+jws", **extra}
        made = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=") + b"." + signed.split(b".", 1)[1]
        with pytest.raises(Refused):
            keyring.open(DeclarationSet, DISTRICT, made)


@pytest.mark.parametrize("x", ["A" * 42 + "B", "A" * 42, "A" * 44, "A" * 42 + "="])
def test_a_public_key_that_is_none_is_refused_as_malformed_on_the_wire(
    district: SigningKey, keyring: Keyring, x: str
) -> None:
    topic = topics.of_agent(TopicKind.CONFIG, "oak", "east")
    stranger = msgspec.structs.replace(district.trusted(KeyRole.DISTRICT), x=x)
    config = AgentConfig(audience=topic, version=1, timezone="UTC", doors=(), trusted_keys=(stranger,))
    assert refusal(keyring, AgentConfig, topic, district.sign(config)) is Reason.MALFORMED
