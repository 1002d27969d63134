"""The reference client has types that a strict compiler accepts, and they name all that it has."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TSC = ROOT / ".ci/node_modules/.bin/tsc"

USE = """
import { insist, newKey, NoAnswer, Problem, StoredTokens, Usher } from "./api.js";

const usher = new Usher({ tokens: new StoredTokens(localStorage) });

export async function hold(screeningId: number, seatIds: number[]): Promise<string> {
  try {
    const { body } = await insist(() => usher.hold(screeningId, seatIds, newKey()));
    return body.expires_at;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    if (error instanceof NoAnswer) return "no answer";
    throw error;
  }
}

export const titles = async (): Promise<string[]> =>
  (await usher.all(usher.screenings, { theater_id: 1 })).map((screening) => screening.title);
"""


def test_its_types_are_accepted(tmp_path: Path) -> None:
    if not TSC.exists():
        assert "CI" not in os.environ, "tsc is not there: npm ci --prefix .ci"
        pytest.skip("tsc is not there: npm ci --prefix .ci")
    for name in ("api.js", "api.d.ts"):
        (tmp_path / name).write_text((ROOT / "app/web" / name).read_text())
    (tmp_path / "use.ts").write_text(USE)
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]

    said = subprocess.run([TSC, *options, "use.ts"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout) == (0, "")
