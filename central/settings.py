"""The settings of central's start. ``central.cli`` checks them; secrets stay in files."""

from dataclasses import dataclass, field
from pathlib import Path

from protocol.mqtt import BrokerAddress

DISTRICT_KEY = "district.jwk"
DATABASE = "central.db"


class SettingsError(ValueError):
    """Central cannot start like this; the message says why and gives a cure."""


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """A time-series server to feed."""

    url: str
    token: str = field(repr=False)
    org: str = "doorward"
    bucket: str = "doorward"


@dataclass(frozen=True, slots=True)
class Settings:
    """``data``: the folder of the district's key and, without ``database_url``, of the records."""

    district: Path
    data: Path
    broker: BrokerAddress
    http_host: str = "127.0.0.1"
    http_port: int = 8080  # 0: any that is free
    database_url: str | None = field(default=None, repr=False)  # may hold a password
    influx: InfluxSettings | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def key_file(self) -> Path:
        """The file of the district's private key."""
        return self.data / DISTRICT_KEY

    @property
    def records_url(self) -> str:
        """The URL of the records."""
        return self.database_url or database_in(self.data)


def database_in(data: Path) -> str:
    """The URL of the records in a data folder."""
    return f"sqlite:///{data.absolute() / DATABASE}"
