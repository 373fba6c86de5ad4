# SPDX-License-Identifier: Apache-2.0
"""An image whose /streamjob-worker ends at once: a spec that names it never comes up."""
import os
import stat
import tempfile

from streamjob_e2e.environment import ROOT, script

BROKEN = "localhost/streamjob-broken:e2e"


def load():
    """Makes the image and puts it on all nodes."""
    tar = os.path.join(ROOT, "build", "e2e-images", "broken.tar")
    with tempfile.TemporaryDirectory() as links:
        os.symlink("/usr/local/bin/false", os.path.join(links, "streamjob-worker"))
        script("image", BROKEN, tar, "/bin/false", "--to", f"{links}=/")
    assert stat.S_ISREG(os.stat(tar).st_mode)
    script("cluster", "load", tar)
