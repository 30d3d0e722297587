"""How a channel is secured: exactly as the plant file says, with a server that is known, or not at all.

    GetEndpoints ── the endpoint of this policy and mode ── its certificate: known? in time? for this application?
                                                                │
    CreateSession answers with the same certificate, and proves that it has the key (asyncua checks both) ◄┘

What GetEndpoints says came over an open channel, and nothing is believed of it but what the trusted certificate then proves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.crypto import security_policies
from asyncua.ua.status_codes import StatusCodes

from config.model import OpcUaEndpoint
from config.security import Security
from drivers.base import DeviceError
from drivers.opcua.certificates import (
    CertificateError,
    Chain,
    chain_of,
    ends_soon,
    hosts,
    is_for_host,
    subject,
    thumbprint,
    untimely,
    uris,
    weak_key,
)
from drivers.opcua.keys import Own, read_own
from drivers.opcua.trust import Trust, keep_rejected

POLICIES: dict[str, type[security_policies.SecurityPolicy]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
MODES = {"sign": ua.MessageSecurityMode.Sign, "sign_and_encrypt": ua.MessageSecurityMode.SignAndEncrypt}
_MODE_NAMES = {mode: f" with {name}" for name, mode in MODES.items()} | {ua.MessageSecurityMode.None_: ""}
_BAD_CERTIFICATES = {
    StatusCodes.BadSecurityChecksFailed,
    StatusCodes.BadCertificateInvalid,
    StatusCodes.BadCertificateTimeInvalid,
    StatusCodes.BadCertificateHostNameInvalid,
    StatusCodes.BadCertificateUriInvalid,
    StatusCodes.BadCertificateUseNotAllowed,
    StatusCodes.BadCertificateUntrusted,
    StatusCodes.BadCertificateRevoked,
    StatusCodes.BadCertificateChainIncomplete,
    StatusCodes.BadCertificateRevocationUnknown,
    StatusCodes.BadCertificateIssuerRevocationUnknown,
    StatusCodes.BadCertificatePolicyCheckFailed,
}


@dataclass(frozen=True, slots=True)
class Secured:
    """How the channel will be secured: asyncua's policy with both certificates, and what people should know of them."""

    policy: security_policies.SecurityPolicy
    own: Own
    notices: tuple[str, ...]


def secured(endpoint: OpcUaEndpoint, offers: Sequence[ua.EndpointDescription], place: str) -> Secured:
    """What `endpoint` asks for, if the server offers it and is known. Reads files, so it blocks. Raises DeviceError."""
    security = endpoint.security
    own = own_of(security, place)
    offer = chosen(offers, endpoint, place)
    chain, notices = _checked(offer, endpoint, place)
    mode = MODES[security.mode]
    policy = POLICIES[security.policy](chain.leaf, own.chain.leaf, own.key, mode, host_cert_chain=list(own.chain.issuers))
    return Secured(policy, own, tuple(notices))


def own_of(security: Security, place: str) -> Own:
    """This collector's certificate and key. Raises DeviceError."""
    try:
        return read_own(security.certificate, security.key, is_application=True)
    except CertificateError as exc:
        raise DeviceError(f"{place}: no key to connect with: {exc}", status=StatusCodes.BadConfigurationError) from None


def chosen(offers: Sequence[ua.EndpointDescription], endpoint: OpcUaEndpoint, place: str) -> ua.EndpointDescription:
    """The offer of the policy and mode that are asked for; never less. Raises DeviceError that lists what there is."""
    security = endpoint.security
    uri, mode = POLICIES[security.policy].URI, MODES[security.mode]
    fitting = [
        offer
        for offer in offers
        if (offer.SecurityPolicyUri, offer.SecurityMode) == (uri, mode)
        and str(offer.EndpointUrl).startswith(f"{OpcUaEndpoint.schemes[0]}://")
    ]
    if fitting:
        path = urlsplit(endpoint.url).path.strip("/")
        return min(fitting, key=lambda offer: urlsplit(str(offer.EndpointUrl)).path.strip("/") != path)
    told = "; ".join(dict.fromkeys(map(_named, offers))) or "nothing"
    text = f"{place}: the server does not offer {security}; it offers: {told}. Nothing less is used: have it offer that, or"
    raise DeviceError(f"{text} change `security` of the endpoint", status=StatusCodes.BadSecurityPolicyRejected)


def _named(offer: ua.EndpointDescription) -> str:
    return f"{str(offer.SecurityPolicyUri).rpartition('#')[2] or 'no policy'}{_MODE_NAMES.get(offer.SecurityMode, '')}"


def _checked(offer: ua.EndpointDescription, endpoint: OpcUaEndpoint, place: str) -> tuple[Chain, list[str]]:
    """The server's certificate, and what people should know of it. Raises DeviceError for one that is not to be used."""
    security = endpoint.security
    try:
        chain = chain_of(bytes(offer.ServerCertificate or b""), "the server's answer")
        trust = Trust.of(security.trust)
    except CertificateError as exc:
        raise DeviceError(f"{place}: the server can't be known: {exc}", status=StatusCodes.BadCertificateInvalid) from None
    named = f"{place}: the server's certificate {subject(chain.leaf)}, thumbprint {thumbprint(chain.leaf)},"
    if why := weak_key(chain.leaf):
        raise DeviceError(f"{named} is not used: {why}: give the server another one", status=StatusCodes.BadCertificateInvalid)
    if why := trust.distrust(chain):
        text = f"{place}: the server is not trusted: {_untrusted(chain, security, why)}"
        raise DeviceError(text, status=StatusCodes.BadCertificateUntrusted)
    if why := untimely(chain.leaf):
        text = f"{named} does not hold: {why}. Have the server make a new one, then trust that"
        raise DeviceError(text, status=StatusCodes.BadCertificateTimeInvalid)
    uri = offer.Server.ApplicationUri if offer.Server is not None else None
    if uri not in uris(chain.leaf):
        text = f"{named} is for {', '.join(uris(chain.leaf)) or 'no application'}, and the server calls itself {uri}"
        raise DeviceError(f"{text}: have its certificate made anew", status=StatusCodes.BadCertificateUriInvalid)
    return chain, list(_about_server(chain, endpoint))


def _untrusted(chain: Chain, security: Security, why: str) -> str:
    """What to do comes first: long texts are cut where there is little room."""
    kept = keep_rejected(chain.leaf, security.rejected)
    folder, pki, mark = security.trust, security.trust.parent, thumbprint(chain.leaf)
    if kept is not None and folder.name == "trusted":
        how = f"run `reactorwatch certs trust {mark} --pki {pki}`"
    else:
        how = f"put its certificate (thumbprint {mark}{f', {kept}' if kept else ''}) into {folder}"
    return f"{how} if the server itself shows this thumbprint. Its certificate is {subject(chain.leaf)}; {why}"


def _about_server(chain: Chain, endpoint: OpcUaEndpoint) -> list[str]:
    leaf, notices = chain.leaf, []
    if ends_soon(leaf):
        ends = f"ends on {leaf.not_valid_after_utc:%Y-%m-%d}, which is within 30 days"
        notices.append(
            f"server's certificate {subject(leaf)} {ends}; after that it is refused: renew it there, trust the new one"
        )
    if not is_for_host(leaf, endpoint.host):
        names = ", ".join(hosts(leaf)) or "no host"
        notices.append(
            f"server's certificate {subject(leaf)} is for {names}, not for {endpoint.host}; it is trusted all the same"
        )
    return notices


def explained(exc: DeviceError, own: Own) -> DeviceError:
    """A refusal of our certificate by the server, with what to do there; any other fault unchanged."""
    if exc.status not in _BAD_CERTIFICATES:
        return exc
    leaf = own.chain.leaf
    ended = f"; {untimely(leaf)}" if untimely(leaf) else ""
    how = "if it does not know it, move it there from the rejected to the trusted ones"
    text = (
        f"{exc} (own certificate {subject(leaf)}, thumbprint {thumbprint(leaf)}, application {own.application_uri}{ended}: {how})"
    )
    return DeviceError(text, status=exc.status, connection_lost=exc.connection_lost)
