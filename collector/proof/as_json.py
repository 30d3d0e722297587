"""A proof for machines."""

from __future__ import annotations

from collector.ledger import Ledger
from collector.proof.record import Proof
from collector.terms import Json


def as_json(proof: Proof) -> dict[str, Json]:
    """Documented in docs/reference/commands.md."""
    ledger = proof.ledger
    return {
        "sound": proof.sound,
        "files": [
            {
                "name": each.name,
                "first_seq": each.before.seq + 1,
                "last_seq": each.end.seq,
                "rows": each.rows,
                "samples": each.end.samples - each.before.samples,
                "scans": each.end.scans - each.before.scans,
                "commits": each.commits,
                "unchained": each.unchained,
                "hash": each.chain_end.hash.hex() if each.chain_end.hash else None,
            }
            for each in proof.files
        ],
        "findings": [
            {"fault": each.fault, "where": each.where, "what": each.what, "advice": each.advice} for each in proof.findings
        ],
        "gaps": dict(proof.gaps),
        "lost": [{"file": loss.file, "kept": loss.kept, "samples": loss.samples, "cause": loss.cause} for loss in proof.lost],
        "read": ledger.read if ledger else None,
        "sinks": _sinks(ledger) if ledger else {},
    }


def _sinks(ledger: Ledger) -> dict[str, Json]:
    return {
        name: {
            "accepted": sink.accepted,
            "queued": sink.queued,
            "dead_lettered": sink.dead_lettered,
            "damaged": sink.damaged,
            "balanced": sink.sum == ledger.read,
        }
        for name, sink in ledger.sinks.items()
    }
