# SPDX-License-Identifier: Apache-2.0
"""Shows that tidy turns red: each rule is broken once in a copy of a tiny tree."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "// SPDX-License-Identifier: Apache-2.0\n"
GOOD = {"worker/types/a.h": HEAD + "#pragma once\n", "worker/types/a.cc": HEAD + "int a;\n",
        "worker/types/README.md": "# worker/types\n"}
LONG = "int F(int x) {\n" + "  x += 1;\n" * 80 + "  return x;\n}\n"
CASES = {
    "may not include operator/kube": {"worker/types/a.cc": HEAD + '#include "operator/kube/x.h"\n'},
    "may not include simulation": {"worker/types/a.cc": HEAD + '#include "simulation/x.h"\n'},
    "rocksdb/ belongs in": {"worker/types/a.cc": HEAD + "#include <rocksdb/db.h>\n"},
    "function of 83 lines": {"worker/types/a.cc": HEAD + LONG},
    "lines, at most 500": {"worker/types/a.cc": HEAD + "int a;\n" * 600},
    "columns, at most 100": {"worker/types/a.cc": HEAD + "// " + "x" * 120 + "\n"},
    "macro FOO": {"worker/types/a.cc": HEAD + "#define FOO 1\n"},
    "banned": {"worker/types/a.cc": HEAD + "void F() { std::cout << 1; }\n"},
    "dead link": {"worker/types/README.md": "[x](nowhere.md)\n"},
    "#pragma once": {"worker/types/a.h": HEAD},
    "first line is": {"worker/types/a.cc": "int a;\n"},
    "worker/sql:1: no README.md": {"worker/sql/b.cc": HEAD},
    "worker/types/testing:1: no README.md": {"worker/types/testing/f.h": HEAD + "#pragma once\n"},
    "only tests include": {"worker/types/a.cc": HEAD + '#include "worker/types/testing/f.h"\n'},
    "leftover note": {"worker/types/README.md": "TO" + "DO: x\n"},
}


def tidy(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD, **files}.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text)
        subprocess.run(["git", "init", "-q", root], check=True)
        done = subprocess.run([sys.executable, os.path.join(HERE, "tidy"), root], cwd=root,
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout


def main():
    failed = 0
    code, out = tidy({})
    if code != 0:
        failed += 1
        print("a clean tree is red:", out)
    for words, files in CASES.items():
        code, out = tidy(files)
        if code == 0 or words not in out:
            failed += 1
            print(f"not seen: {words}\n{out}")
    print(f"{len(CASES) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
