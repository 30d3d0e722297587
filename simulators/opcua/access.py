"""Who gets in, and how: security policies, identity tokens, users.

    security   endpoints                                                   tokens
    none       None                                                        anonymous, or the user name
    all        None and Basic256Sha256, Aes128_Sha256_RsaOaep,             the same, and certificates
               Aes256_Sha256_RsaPss, each Sign and SignAndEncrypt

A plant endpoint with a user name takes that user and no anonymous client; its certificate users must be trusted by
name (`trusted`), or any self-made certificate would do instead of the password. On an endpoint that does not encrypt,
the client is told to encrypt the password with the server's certificate; one that insists on sending it plain is heard,
as most servers do. With `none` there is no certificate to encrypt with, and passwords go plain.
"""

from __future__ import annotations

from typing import Any, Literal

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.user_managers import UserManager

from config.model import OpcUaEndpoint
from simulators.opcua.certificates import Trust

Security = Literal["none", "all"]
_POLICIES = [
    ua.SecurityPolicyType.NoSecurity,
    ua.SecurityPolicyType.Basic256Sha256_Sign,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_Sign,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]


def policies(security: Security) -> list[ua.SecurityPolicyType]:
    """The endpoints that are offered."""
    return _POLICIES if security == "all" else _POLICIES[:1]


def tokens(endpoint: OpcUaEndpoint, security: Security, trust: Trust) -> list[type]:
    """The identity tokens that are taken."""
    taken: list[type] = [ua.UserNameIdentityToken if endpoint.user_name else ua.AnonymousIdentityToken]
    if security == "all" and not (endpoint.user_name and trust.anyone):
        taken.append(ua.X509IdentityToken)
    return taken


class Users(UserManager):
    """Lets anonymous clients in, or only the configured user; certificates that are trusted. Nobody may write."""

    def __init__(self, endpoint: OpcUaEndpoint, trust: Trust) -> None:
        self._user_name = endpoint.user_name
        self._password = endpoint.password.reveal() if endpoint.password else None
        self._trust = trust

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """asyncua has seen that the token is one of those offered; a certificate is the user's, or the client's."""
        if username is not None or (self._user_name is not None and not certificate):
            known = (username, password or None) == (self._user_name, self._password)
        else:
            known = not certificate or self._trust.lets_in(certificate)
        return User(role=UserRole.User, name=username) if known else None
