"""Certificates for 127.0.0.1 that are good, or wrong in one chosen way. Made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = ["CertificateMaker"]


class CertificateMaker:
    """Makes self-signed certificates in ``folder``, each kind once.

    Attributes:
        works: openssl is installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl = shutil.which("openssl")
        self._made: dict[tuple[str, tuple[int, int]], tuple[Path, Path]] = {}
        self.works = self._openssl is not None

    def make(
        self, names: str = "IP:127.0.0.1,DNS:localhost", days: tuple[int, int] = (-1, 10)
    ) -> tuple[Path, Path]:
        """The certificate and its key, valid for these names between these days from now."""
        if (names, days) not in self._made:
            stem = f"c{len(self._made)}"
            files = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
            self._run(files, names, days)
            self._made[names, days] = files
        return self._made[names, days]

    def _run(self, files: tuple[Path, Path], names: str, days: tuple[int, int]) -> None:
        since, until = (
            (datetime.now(UTC) + timedelta(days=day)).strftime("%Y%m%d%H%M%SZ") for day in days
        )
        settings = self.folder / "openssl.cnf"
        settings.write_text(
            "[ca]\ndefault_ca=own\n[own]\n"
            f"new_certs_dir={self.folder}\ndatabase={self.folder}/index.txt\n"
            "default_md=sha256\npolicy=any\nunique_subject=no\nrand_serial=yes\n"
            "[any]\ncommonName=supplied\n[req]\ndistinguished_name=name\nprompt=no\n"
            f"[name]\nCN=127.0.0.1\n[own_names]\nsubjectAltName={names}\n"
            "basicConstraints=critical,CA:TRUE\n"
        )
        (self.folder / "index.txt").touch()
        request = self.folder / "request.csr"
        common = ["-config", str(settings)]
        self._openssl_does(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", str(files[1]), "-out", str(request), *common),
        )
        self._openssl_does(
            *("ca", "-batch", "-selfsign", "-notext", "-in", str(request)),
            *("-keyfile", str(files[1]), "-out", str(files[0]), "-extensions", "own_names"),
            *("-startdate", since, "-enddate", until, *common),
        )

    def _openssl_does(self, *arguments: str) -> None:
        command = [str(self._openssl), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)
