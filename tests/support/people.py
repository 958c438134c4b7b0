"""Many cardholders, and their credentials in pages, as central would publish them."""

import hashlib

from protocol import codec
from protocol.messages import Credential, CredentialPage


def token_of(number: int) -> str:
    """The token of the nth cardholder."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def people(count: int) -> list[Credential]:
    """Cardholders whose tokens are spread as real ones are."""
    return [Credential(token=token_of(n), cardholder=f"ch-{n}", groups=("staff",)) for n in range(count)]


def paged(credentials: list[Credential], pages: int) -> list[bytes]:
    """The pages of some credentials; their number is a power of two, up to 16."""
    ordered = sorted(credentials, key=lambda one: one.token)
    on_page = [[one for one in ordered if int(one.token[0], 16) * pages // 16 == number] for number in range(pages)]
    return [codec.encode(CredentialPage(page=n, credentials=tuple(some))) for n, some in enumerate(on_page)]


def digests(pages: list[bytes]) -> tuple[str, ...]:
    """What a configuration names the pages by."""
    return tuple(hashlib.sha256(page).hexdigest() for page in pages)
