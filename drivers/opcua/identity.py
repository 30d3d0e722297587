"""Who logs in: nobody in particular, a user with a password, a user with a certificate (part 4, 7.40).

A server says per endpoint which tokens it takes and how they are to be protected; where it says nothing of that, the channel's
own policy holds. A password goes encrypted with the server's key wherever the server offers it. It goes plain only inside an
encrypted channel, or where the plant file asks for no security at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.crypto import security_policies
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509

from config.model import OpcUaEndpoint
from config.sinks import SecretError
from drivers.base import DeviceError
from drivers.opcua.certificates import CertificateError, chain_of
from drivers.opcua.keys import Own, read_own

_sign: Any = security_policies.sign_asymmetric
_encrypt: Any = security_policies.encrypt_asymmetric
_NONE = security_policies.SecurityPolicyNone.URI
_BEST_FIRST = (
    security_policies.SecurityPolicyAes256Sha256RsaPss.URI,
    security_policies.SecurityPolicyBasic256Sha256.URI,
    security_policies.SecurityPolicyAes128Sha256RsaOaep.URI,
    security_policies.SecurityPolicyBasic256.URI,
    _NONE,
)
"""Basic256 is not used for channels any more, but servers of before 2015 protect passwords with it."""
_KINDS = {
    ua.UserTokenType.Anonymous: "anonymous",
    ua.UserTokenType.UserName: "user_name and password",
    ua.UserTokenType.Certificate: "user_certificate and user_key",
}
_SIGN = ua.MessageSecurityMode.Sign


@dataclass(frozen=True, slots=True)
class User:
    """At most one of a name with its password, and a certificate with its key."""

    name: str | None = None
    password: str | None = None
    own: Own | None = None

    @property
    def kind(self) -> ua.UserTokenType:
        if self.own is not None:
            return ua.UserTokenType.Certificate
        return ua.UserTokenType.Anonymous if self.name is None else ua.UserTokenType.UserName

    def __repr__(self) -> str:
        return f"User({_KINDS[self.kind]})"  # never the password


def read_user(endpoint: OpcUaEndpoint, place: str) -> User:
    """The user of `endpoint`, from where its secrets are kept; blocks. Raises DeviceError."""
    try:
        if endpoint.user_certificate is not None and endpoint.user_key is not None:
            return User(own=read_own(endpoint.user_certificate, endpoint.user_key, is_application=False))
        return User(endpoint.user_name, endpoint.password.reveal() if endpoint.password else None)
    except SecretError as exc:
        raise DeviceError(f"{place}: no password to connect with: {exc}", status=StatusCodes.BadConfigurationError) from None
    except CertificateError as exc:
        raise DeviceError(f"{place}: no user to log in: {exc}", status=StatusCodes.BadConfigurationError) from None


def activation(
    user: User, channel: security_policies.SecurityPolicy, session: ua.CreateSessionResult, url: str, place: str
) -> ua.ActivateSessionParameters:
    """The parameters that log `user` in to `session`. Raises DeviceError where the server takes no such token."""
    nonce, certificate = bytes(session.ServerNonce or b""), bytes(session.ServerCertificate or b"")
    server = _server_certificate(certificate, place)
    proof = (server.der if server else b"") + nonce
    token, effective = _token(user, channel, session, url, has_certificate=server is not None, place=place)
    parameters = ua.ActivateSessionParameters()
    parameters.LocaleIds = ["en"]
    if channel.Mode != ua.MessageSecurityMode.None_:
        parameters.ClientSignature.Algorithm = channel.AsymmetricSignatureURI
        parameters.ClientSignature.Signature = channel.asymmetric_cryptography.signature(proof)  # type: ignore[no-untyped-call]
    identity: Any
    if user.own is not None:
        identity = ua.X509IdentityToken(CertificateData=user.own.chain.der)
        signature, algorithm = _sign(user.own.key, proof, effective)
        parameters.UserTokenSignature.Algorithm, parameters.UserTokenSignature.Signature = algorithm, signature
    elif user.name is not None:
        identity = ua.UserNameIdentityToken(UserName=user.name)
        identity.Password, identity.EncryptionAlgorithm = _protected(user, effective, server, nonce, place)
    else:
        identity = ua.AnonymousIdentityToken()
    identity.PolicyId = token.PolicyId
    parameters.UserIdentityToken = identity
    return parameters


def _server_certificate(content: bytes, place: str) -> Any:
    try:
        return chain_of(content, "the server's answer") if content else None
    except CertificateError as exc:
        raise DeviceError(f"{place}: logging in: {exc}", status=StatusCodes.BadCertificateInvalid) from None


def _token(
    user: User,
    channel: security_policies.SecurityPolicy,
    session: ua.CreateSessionResult,
    url: str,
    *,
    has_certificate: bool,
    place: str,
) -> tuple[ua.UserTokenPolicy, str]:
    """The best of the tokens that the server takes for such a user, and the URI of the policy that protects it."""
    offered = _offered(channel, session, url)
    fitting = [(token, str(token.SecurityPolicyUri or channel.URI)) for token in offered if token.TokenType == user.kind]
    if user.kind is ua.UserTokenType.Anonymous and (fitting or not offered):
        return fitting[0] if fitting else (ua.UserTokenPolicy(), _NONE)
    if not fitting:
        taken = ", ".join(dict.fromkeys(_KINDS.get(token.TokenType, "another token") for token in offered)) or "nothing"
        text = f"{place}: logging in: the server takes no {_KINDS[user.kind]} here; it takes: {taken}"
        raise DeviceError(text, status=StatusCodes.BadIdentityTokenRejected)
    usable = [each for each in fitting if each[1] in _BEST_FIRST and (has_certificate or each[1] == _NONE)]
    if user.own is not None or channel.Mode == _SIGN:
        usable = [each for each in usable if each[1] != _NONE]
    if not usable:
        asked = ", ".join(dict.fromkeys(uri.rpartition("#")[2] for _, uri in fitting))
        text = f"{place}: logging in: the server wants {_KINDS[user.kind]} protected by {asked}, which would not protect it here"
        raise DeviceError(f"{text}: use mode sign_and_encrypt", status=StatusCodes.BadIdentityTokenRejected)
    return min(usable, key=lambda each: _BEST_FIRST.index(each[1]))


def _offered(
    channel: security_policies.SecurityPolicy, session: ua.CreateSessionResult, url: str
) -> Sequence[ua.UserTokenPolicy]:
    """The tokens of the endpoint in use, as told over the secured channel."""
    same = [
        each
        for each in session.ServerEndpoints or ()
        if (each.SecurityPolicyUri, each.SecurityMode) == (channel.URI, channel.Mode)
    ]
    same.sort(key=lambda each: each.EndpointUrl != url)
    return next((each.UserIdentityTokens for each in same if each.UserIdentityTokens), ())


def _protected(user: User, policy_uri: str, server: Any, nonce: bytes, place: str) -> tuple[bytes, str | None]:
    """The password as the token holds it, and the algorithm that encrypted it."""
    password = (user.password or "").encode()
    if policy_uri == _NONE:
        return password, None
    certificate: x509.Certificate = server.leaf
    secret = len(password + nonce).to_bytes(4, "little") + password + nonce
    try:
        encrypted, algorithm = _encrypt(certificate.public_key(), secret, policy_uri)
    except ValueError:
        text = f"{place}: logging in: the password is too long for the server's key"
        raise DeviceError(f"{text}: give the account a shorter one", status=StatusCodes.BadConfigurationError) from None
    return bytes(encrypted), str(algorithm)
