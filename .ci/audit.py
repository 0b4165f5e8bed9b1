"""Looks the locked packages up in the public database of known vulnerabilities, if it answers.

    python .ci/audit.py requirements.txt

Fails for a known vulnerability. A database that cannot be reached is said loudly and fails nothing:
being offline is no defect of the project.
"""

import json
import subprocess
import sys

ANSWER_SECONDS = 5
AUDIT_SECONDS = 120


def main(lock: str) -> int:
    """Audit one lock file; gives the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"]
    command += ["--progress-spinner", "off", "--timeout", str(ANSWER_SECONDS)]
    command += ["--format", "json", "-r", lock]
    try:
        audit = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_SECONDS)
        packages = json.loads(audit.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return _not_audited(f"no answer within {AUDIT_SECONDS} s")
    except (ValueError, KeyError):
        return _not_audited(audit.stderr.strip()[-400:])
    known = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {flaw['fix_versions']}\n"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    sys.stdout.writelines(known)
    missed = [package["name"] for package in packages if "skip_reason" in package]
    if missed and not known:
        return _not_audited(f"{len(missed)} of {len(packages)} packages were not found there")
    return 1 if known else 0


def _not_audited(reason: str) -> int:
    bar = "!" * 72
    sys.stdout.write(f"{bar}\nKNOWN VULNERABILITIES WERE NOT LOOKED UP: {reason}\n{bar}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
