"""Metrics of a CVE as NVD writes them: a vector, and each of its letters as a word."""

from typing import Any

Words = dict[str, str]

_DEGREE = {"H": "HIGH", "L": "LOW", "N": "NONE"}
_REACH = {"N": "NETWORK", "A": "ADJACENT_NETWORK", "L": "LOCAL", "P": "PHYSICAL"}
_V2_IMPACT = {"N": "NONE", "P": "PARTIAL", "C": "COMPLETE"}

# by version: letter of the vector -> name in the feed, words of its values
_FIELDS: dict[str, dict[str, tuple[str, Words]]] = {
    "2.0": {
        "AV": ("accessVector", _REACH),
        "AC": ("accessComplexity", {**_DEGREE, "M": "MEDIUM"}),
        "Au": ("authentication", {"M": "MULTIPLE", "S": "SINGLE", "N": "NONE"}),
        "C": ("confidentialityImpact", _V2_IMPACT),
        "I": ("integrityImpact", _V2_IMPACT),
        "A": ("availabilityImpact", _V2_IMPACT),
    },
    "3.1": {
        "AV": ("attackVector", _REACH),
        "AC": ("attackComplexity", _DEGREE),
        "PR": ("privilegesRequired", _DEGREE),
        "UI": ("userInteraction", {"N": "NONE", "R": "REQUIRED"}),
        "S": ("scope", {"U": "UNCHANGED", "C": "CHANGED"}),
        "C": ("confidentialityImpact", _DEGREE),
        "I": ("integrityImpact", _DEGREE),
        "A": ("availabilityImpact", _DEGREE),
    },
    "4.0": {
        "AV": ("attackVector", {**_REACH, "A": "ADJACENT"}),
        "AC": ("attackComplexity", _DEGREE),
        "AT": ("attackRequirements", {"N": "NONE", "P": "PRESENT"}),
        "PR": ("privilegesRequired", _DEGREE),
        "UI": ("userInteraction", {"N": "NONE", "P": "PASSIVE", "A": "ACTIVE"}),
        "VC": ("vulnConfidentialityImpact", _DEGREE),
        "VI": ("vulnIntegrityImpact", _DEGREE),
        "VA": ("vulnAvailabilityImpact", _DEGREE),
        "SC": ("subConfidentialityImpact", _DEGREE),
        "SI": ("subIntegrityImpact", _DEGREE),
        "SA": ("subAvailabilityImpact", _DEGREE),
    },
}
_KEYS = {"2.0": "cvssMetricV2", "3.1": "cvssMetricV31", "4.0": "cvssMetricV40"}
_ASKED_IN_V2 = (
    *("acInsufInfo", "obtainAllPrivilege", "obtainUserPrivilege", "obtainOtherPrivilege"),
    "userInteractionRequired",
)


def metrics(told: str, *, v4: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the `metrics` of a CVE, from `SCORE EXPLOITABILITY IMPACT VECTOR;…`."""
    parts = [part.split() for part in told.split(";")]
    made = [_metric(float(base), subscores, vector) for base, *subscores, vector in parts]
    return {key: [metric] for key, metric in made if v4 or key != _KEYS["4.0"]}


def _metric(base: float, subscores: list[str], vector: str) -> tuple[str, dict[str, Any]]:
    version = vector[5:8] if vector.startswith("CVSS:") else "2.0"
    letters = dict(part.split(":") for part in vector.split("/"))
    words = {name: values[letters[letter]] for letter, (name, values) in _FIELDS[version].items()}
    data: dict[str, Any] = {"version": version, "vectorString": vector, "baseScore": base, **words}
    metric: dict[str, Any] = {"source": "nvd@nist.gov", "type": "Primary", "cvssData": data}
    if version == "2.0":
        metric |= {"baseSeverity": band(min(base, 8.9)), **dict.fromkeys(_ASKED_IN_V2, False)}
    else:
        data["baseSeverity"] = band(base)
    if version != "4.0":
        exploitability, impact = map(float, subscores)
        metric |= {"exploitabilityScore": exploitability, "impactScore": impact}
    return _KEYS[version], metric


def band(score: float) -> str:
    """Return the word for a score."""
    return ("LOW", "MEDIUM", "HIGH", "CRITICAL")[sum(score >= floor for floor in (4.0, 7.0, 9.0))]
