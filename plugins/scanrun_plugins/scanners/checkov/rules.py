"""How bad a failed check is. Checkov itself says so only to those who have a key of its vendor."""

from collections.abc import Mapping

from scanrun.api import Severity

_IDS = {
    Severity.HIGH: {
        "CKV_ALI": "9 43",
        "CKV_AWS": (
            "1 17 20 24 25 32 33 38 41 45 46 49 57 60 61 62 63 69 70 72 87 89 100 102 107"
            " 110 164 167 168 169 210 277 286 301 302 303 334 384 387 391 394"
        ),
        "CKV_AZURE": "9 10 11 34 59 137 190 239",
        "CKV_CIRCLECIPIPELINES": "6",
        "CKV_DOCKER": "8",
        "CKV_GCP": "2 3 11 15 28 42 60 75 88 98 99 100 101 102 107 112 113",
        "CKV_GHA": "1 2 3 4",
        "CKV_GITLABCI": "1",
        "CKV_K8S": "1 2 3 4 16 17 18 19 27 39 49 155 156 157 158",
        "CKV_LIN": "1",
        "CKV_NCP": "17",
        "CKV_OCI": "1 10",
        "CKV_OPENSTACK": "1",
        "CKV_PAN": "1",
    },
    Severity.LOW: {
        "CKV_AWS": "21 23 51 66 118 124 126 144 153 157 222 226 261 300 305 313 322",
        "CKV_DOCKER": "2 5 6 7 9 10 11",
        "CKV_K8S": "8 9 10 11 12 13 14 15 21 43",
        "CKV2_AWS": "61 62",
    },
}
"""Open to everybody, privileged or a secret in the clear: high. Good housekeeping: low."""


def _table() -> Mapping[str, Severity]:
    return {
        f"{family}_{number}": severity
        for severity, families in _IDS.items()
        for family, numbers in families.items()
        for number in numbers.split()
    }


_TABLE = _table()


def severity_of(check_id: str) -> Severity:
    """Return how bad it is when the check fails; medium where nobody has judged it."""
    if is_secret(check_id):
        return Severity.HIGH
    return _TABLE.get(check_id, Severity.MEDIUM)


def is_secret(check_id: str) -> bool:
    """Say whether the check is one of its secret scanner's."""
    return check_id.startswith("CKV_SECRET_")
