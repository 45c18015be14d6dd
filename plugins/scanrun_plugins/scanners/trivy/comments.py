"""What in the tree and in the environment tells Trivy to keep quiet, and how that is shut out.

No flag makes it pass over ignore comments, and a comment in a Dockerfile is obeyed without a word.
What it looks for is a word that begins with `trivy:` or `tfsec:` and has `ignore:` in it, so that
`:ignore:` stands in each of them; upper and lower case count.
"""

from collections.abc import Mapping

from scanrun.api import Ignore, Influence, Reach, Rewrite, Sign
from scanrun_plugins.scanners.trivy.inputs import DOCKERFILES, TERRAFORM

TELLS: Mapping[str, Influence] = {
    ".trivyignore*": Influence(effect="takes findings out", left_out=False),
    "trivy-secret.yaml": Influence(effect="switches secret rules off", left_out=False),
    "trivy.yaml": Influence(effect="has settings of trivy", left_out=False, at_root=True),
}
"""All have a file of ours in their place: see `command.OWN_FILES`."""

VARIABLES = ("TRIVY_*",)

_TEMPLATES = ("*.yaml", "*.yml", "*.json", "*.template", "*.tpl", "*.tofu.json", "*.tfvars")

REWRITES = (Rewrite((*DOCKERFILES, *TERRAFORM, *_TEMPLATES), b":ignore:", b"-ignore-"),)

_COMMENT = (
    r"(?:trivy|tfsec):(?=(?:\S{0,200}:)?ignore:(?i:avd-)?(?P<rules>[^\s:]+))"
    r"(?:(?=(?:\S{0,200}:)?exp:(?P<until>[^\s:]+))|)\S*(?P<reason>.*)"
)
IGNORES = (Ignore(_COMMENT, Reach.BLOCK),)

NOT_REWRITTEN = Sign(r"Ignore finding", "a comment in the tree took a finding out all the same")
HEEDED = Sign(r"Ignore finding", "a comment in the image takes a finding out", incomplete=False)
