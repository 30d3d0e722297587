"""How an OPC UA connection is secured, and where the files for it lie. No file is opened here.

pki/                     beside the plant file, made by `reactorwatch certs init`
  own/certificate.der    what servers are shown, and have to trust
  own/key.pem            its private key, for its owner alone
  trusted/               servers that are spoken to, or authorities that issue their certificates
  rejected/              servers that were not, for `reactorwatch certs trust`
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from config.common import Model
from config.text import as_written


def _as_in_its_uri(policy: object) -> object:
    """Profiles are listed as Aes128-Sha256-RsaOaep, too; the URI has low lines."""
    return policy.replace("-", "_") if isinstance(policy, str) else policy


Policy = Annotated[
    Literal["none", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"], BeforeValidator(_as_in_its_uri)
]
Mode = Literal["sign", "sign_and_encrypt"]


def beside_the_plant_file(path: Path, info: ValidationInfo) -> Path:
    """A relative path counts from the folder of the plant file."""
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return folder / path if isinstance(folder, Path) else path


PlantPath = Annotated[Path, BeforeValidator(as_written), AfterValidator(beside_the_plant_file)]
"""Relative to the plant file."""


class Security(Model):
    """Nothing less than this is used: a server that does not offer it is not spoken to."""

    policy: Policy = "none"
    """The security policy; with none the connection is neither signed nor encrypted, and nobody proves who they are."""
    mode: Mode = "sign_and_encrypt"
    """Whether messages are signed only, or encrypted, too."""
    certificate: PlantPath = Field(Path("pki/own/certificate.der"), validate_default=True)
    """This collector's certificate, DER or PEM, with its chain where there is one."""
    key: PlantPath = Field(Path("pki/own/key.pem"), validate_default=True)
    """Its private key, PEM or DER without a password, readable by its owner only."""
    trust: PlantPath = Field(Path("pki/trusted"), validate_default=True)
    """A folder of the server certificates that are trusted, or of authorities that issued them; refused ones go to `rejected`
    beside it."""

    @property
    def is_none(self) -> bool:
        """Neither signed nor encrypted."""
        return self.policy == "none"

    @property
    def rejected(self) -> Path:
        """Where refused certificates are kept to be looked at."""
        return self.trust.parent / "rejected"

    def __str__(self) -> str:
        return "no security" if self.is_none else f"{self.policy} with {self.mode}"
