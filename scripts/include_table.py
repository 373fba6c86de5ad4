# SPDX-License-Identifier: Apache-2.0
"""The include table: which folder may include which, and where each library lives.

The tree is the architecture. A folder's row names every other folder it may include; its own
subfolders and itself go without saying. `testing` folders may be included by tests only.
"""

FOLDERS = {
    "api/base": [],
    "api/v1alpha1": ["api/base"],
    "api/control": ["api/base"],
    "operator/kube": ["api/base"],
    "operator/runtime": ["operator/kube", "api/base"],
    "operator/resources": ["api/base", "api/v1alpha1", "api/control"],
    "operator/autoscale": ["api/base", "api/v1alpha1", "api/control"],
    "operator/decide": ["operator/autoscale", "operator/resources", "api/base", "api/v1alpha1",
                        "api/control"],
    "operator/reconcile": ["operator/decide", "operator/autoscale", "operator/resources",
                           "operator/runtime", "operator/kube", "api/base", "api/v1alpha1",
                           "api/control"],
    "operator/main": ["operator/reconcile", "operator/decide", "operator/resources",
                      "operator/runtime", "operator/kube", "api/base", "api/v1alpha1",
                      "api/control"],
    "worker/types": ["api/base"],
    "worker/sql": ["worker/types", "api/base"],
    "worker/plan": ["worker/sql", "worker/types", "api/base"],
    "worker/state": ["worker/types", "api/base"],
    "worker/store": ["worker/types", "api/base"],
    "worker/connect": ["worker/types", "api/base"],
    "worker/exec": ["worker/plan", "worker/state", "worker/types", "api/base"],
    "worker/checkpoint": ["worker/state", "worker/store", "worker/types", "api/control",
                          "api/base"],
    "worker/runtime": ["worker/exec", "worker/connect", "worker/checkpoint", "worker/state",
                       "worker/store", "worker/plan", "worker/types", "api/base"],
    "worker/control": ["worker/runtime", "worker/types", "api/control", "api/base"],
    "worker/main": ["worker/control", "worker/runtime", "worker/exec", "worker/connect",
                    "worker/checkpoint", "worker/state", "worker/store", "worker/plan",
                    "worker/types", "api/v1alpha1", "api/control", "api/base"],
    # Test code only: operator and worker meet nowhere else in one process, and nobody includes it.
    "simulation": ["operator/reconcile", "operator/decide", "operator/resources",
                   "operator/runtime", "operator/kube", "worker/control", "worker/runtime",
                   "worker/connect", "worker/checkpoint", "worker/state", "worker/store",
                   "worker/plan", "worker/types", "api/v1alpha1", "api/control", "api/base"],
}

# Folders that are test code as a whole.
TEST_FOLDERS = {"simulation"}

# Header prefix -> the folders that may include it.
LIBRARIES = {
    "librdkafka/": ["worker/connect/kafka", "e2e/perf"],
    "rocksdb/": ["worker/state"],
    "simdjson": ["worker/connect/json", "e2e/perf"],
    "cpprest/": ["api/base"],
    "pplx/": ["api/base"],
    "boost/": ["api/base"],
    "openssl/": ["api/base"],
    "spdlog/": ["api/base"],
    "prometheus/": ["api/base"],
    "nlohmann/": ["api/base"],
    "yaml-cpp/": ["api/base"],
    "xxhash.h": ["api/base"],
    "lz4": ["worker/types"],
    "pugixml.hpp": ["worker/store"],
    "CLI/": ["worker/main", "operator/main"],
    "absl/": ["worker/types", "worker/exec", "worker/state"],
    "re2/": ["worker/exec"],
}
