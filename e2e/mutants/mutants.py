# SPDX-License-Identifier: Apache-2.0
"""The mutants: what is broken, where, and which scenarios must notice.

`scenarios` is pytest's -k expression; all that it selects runs, and at least one test has to fail.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    breaks: str
    path: str
    old: str
    new: str
    scenarios: str


MUTANTS = [
    Mutant("fence", "a fenced worker makes new producers and goes on",
           "worker/runtime/supervisor.cc",
           "bool final = status.kind() == base::ErrorKind::kFenced ||",
           "bool final =", "test_zombie_worker"),
    Mutant("upload", "an epoch is committed although its checkpoint was not written",
           "worker/runtime/epoch_loop.cc",
           "SJ_ASSIGN_OR_RETURN(written, run_->checkpointer->Write(std::move(capture)));",
           "auto tried = run_->checkpointer->Write(std::move(capture));\n"
           "    if (tried.ok()) {\n      written = std::move(tried).value();\n    }",
           "test_s3_is_away"),
    Mutant("idle", "the time of the last good state stands still while nothing comes in",
           "worker/runtime/epoch_loop.cc",
           "    board_->Update([&](JobStatus& s) { s.committed_at = run_->clock->Wall(); });\n", "",
           "test_an_idle_job_is_not_late"),
    Mutant("suspend", "a suspended job keeps its pods",
           "operator/decide/action.cc", 'Scale(view, 0, "suspended", actions);', "",
           "test_suspend_and_resume"),
    Mutant("resume", "offsets are committed one back",
           "worker/runtime/epoch_loop.cc",
           "positions.push_back({partition, state.offset, metadata});",
           "positions.push_back({partition, std::max<int64_t>(0, state.offset - 1), metadata});",
           "test_suspend_and_resume or test_restart or test_rescale"),
    Mutant("owner", "children do not name their owner",
           "operator/resources/children.cc",
           '{"ownerReferences", Json::array({OwnerReference(job)})}',
           '{"ownerReferences", OwnerReference(job).empty() ? Json() : Json::array()}',
           "test_delete_leaves_nothing"),
    Mutant("nonce", "restartNonce is not part of what pods are started with",
           "operator/resources/children.cc",
           "  return v1alpha1::SpecHash(ManifestSpec(blueprint));",
           "  auto spec = ManifestSpec(blueprint);\n  spec.restart_nonce.reset();\n"
           "  return v1alpha1::SpecHash(spec);", "test_restart"),
    Mutant("words", "the status does not say what a worker met",
           "operator/decide/health.cc",
           'return Sentence(fmt::format("Worker {}: {}", ordinal, error.message));',
           'return Sentence(fmt::format("Worker {}: {}", ordinal, error.message.substr(0, 0)));',
           "test_cluster_bad_jobs"),
    Mutant("leader", "a lease that ran out is not taken over",
           "operator/runtime/leader.cc",
           "if (other && clock.Mono() < observed_at + options.lease_duration) {", "if (other) {",
           "test_leader_is_stopped"),
    Mutant("away", "workers stop when the operator does not answer",
           "worker/control/control_client.cc",
           "    if (!body.ok()) {\n      bool nudged = false;",
           "    if (!body.ok() && on_command_) {\n      on_command_(wire::Command::kDrain);\n    }\n"
           "    if (!body.ok()) {\n      bool nudged = false;", "test_no_operator"),
]
