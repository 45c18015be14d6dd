"""Jenkins: a declarative pipeline; the exit code decides, the plugins only show.

https://www.jenkins.io/doc/book/pipeline/syntax/
"""

from scanrun.api import CIEmitter, Invocation, hookimpl

# % because Groovy is full of braces
_FILE = """\
// Written by `scanrun emit jenkins`.
// Plugins: JUnit, Warnings (recordIssues). The agent has Python 3.11 or later, git%(engine)s.
pipeline {
    agent any
    stages {
        stage('Security scan') {
            steps {
                // a workspace outlives a build: no report of an earlier one may be shown
                dir('%(output)s') {
                    deleteDir()
                }
                // outside of the workspace, so that it is not scanned
                sh 'python3 -m venv "$WORKSPACE_TMP/scanrun"'
                sh '"$WORKSPACE_TMP/scanrun/bin/pip" install "%(requirement)s"'
                withEnv(["PATH+SCANRUN=${env.WORKSPACE_TMP}/scanrun/bin"]) {
                    // its exit code is the gate: 0 passed, 1 findings, 3 incomplete
                    sh '%(command)s'
                }
            }
        }
    }
    post {
        always {
            archiveArtifacts(artifacts: '%(files)s')
%(junit)s            recordIssues(enabledForFailure: true, tool: sarif(pattern: '%(sarif)s'))
        }
    }
}
"""
_JUNIT = """\
            // unstable would stand for failed: the exit code has decided already
            junit(testResults: '%s', skipMarkingBuildUnstable: true)
"""


class Jenkins:
    """One stage. Reports are published whatever the scan came to."""

    name = "jenkins"
    filename = "Jenkinsfile"

    def emit(self, invocation: Invocation) -> str:
        """Keep the environment of scanrun out of the tree that is scanned."""
        kept = (*invocation.files(), "logs/*")
        return _FILE % {
            "engine": " and a container engine" if invocation.needs_engine else "",
            "output": invocation.path("").rstrip("/"),
            "requirement": invocation.requirement,
            "command": invocation.command,
            "files": ", ".join(invocation.path(name) for name in kept),
            "junit": _JUNIT % invocation.path("junit.xml") if "junit" in invocation.formats else "",
            "sarif": invocation.path("results.sarif"),
        }


@hookimpl
def scanrun_register_ci_emitters() -> list[CIEmitter]:
    """Add Jenkins."""
    return [Jenkins()]
