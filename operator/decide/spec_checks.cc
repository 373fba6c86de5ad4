// SPDX-License-Identifier: Apache-2.0
// See spec_checks.h.
#include "operator/decide/spec_checks.h"

#include "operator/decide/snapshots.h"

namespace sj::op::decide {
namespace {

using v1alpha1::Finding;
using v1alpha1::Findings;

void Append(Findings& all, const Findings& more) {
  all.insert(all.end(), more.begin(), more.end());
}

// Accepted by the schema, not by this version. Refused, never ignored.
void AddUnsupported(const v1alpha1::StreamJobSpec& spec, Findings& all) {
  if (spec.rollout.on_incompatible_state == v1alpha1::IncompatibleState::kDiscard) {
    all.push_back({"NotSupported", "spec.rollout.onIncompatibleState",
                   "discarding incompatible state is not supported by this version; use Refuse, "
                   "and create a new job to start with empty state"});
  }
}

}  // namespace

Findings SpecFindings(const Input& in, const v1alpha1::EffectiveSpec& effective) {
  Findings all = in.read_findings;
  Append(all, v1alpha1::Validate({in.job, effective, in.settings.policy}));
  const v1alpha1::StreamJobStatus& status = in.job.status;
  if (status.generation && status.effective) {
    Append(all, v1alpha1::ValidateChange(*status.effective, effective));
  }
  if (in.sql.problem) {
    all.push_back(*in.sql.problem);
  }
  AddUnsupported(in.job.spec, all);
  if (const RestoreChoice restore = ChooseRestore(in.job, in.restore_from, in.now);
      restore.problem) {
    all.push_back(*restore.problem);
  }
  return all;
}

}  // namespace sj::op::decide
