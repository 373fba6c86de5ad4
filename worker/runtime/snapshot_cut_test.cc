// SPDX-License-Identifier: Apache-2.0
#include "worker/runtime/snapshot_cut.h"

#include <gtest/gtest.h>

#include "worker/checkpoint/footer.h"

namespace sj::worker::runtime {
namespace {

using base::ErrorKind;
using checkpoint::Checkpointer;
using Inputs = std::vector<std::vector<Checkpointer::CommittedRef>>;

std::string Metadata(int ordinal, types::Generation generation, types::Epoch epoch) {
  return checkpoint::CommitMetadata("u/g" + std::to_string(generation) + "/" +
                                        std::to_string(ordinal) + "/" + std::to_string(epoch) +
                                        "-ab",
                                    "{}");
}

// Generation 7 of three workers; worker 2 runs since generation 5.
Inputs Quiet() {
  return {{{{"in", 0}, 10, Metadata(0, 7, 40), -1, -1}, {{"x0", 0}, 3, Metadata(0, 7, 40), 0, 0}},
          {{{"in", 1}, 10, Metadata(1, 7, 12), -1, -1}, {{"x0", 1}, 3, Metadata(1, 7, 12), 0, 1}},
          {{{"in", 2}, 10, Metadata(2, 5, 99), -1, -1}, {{"x0", 2}, 3, Metadata(2, 5, 99), 0, 2}}};
}

TEST(SnapshotCut, HasWhatWasCommittedBefore) {
  auto cut = MakeCut(7, true, Quiet());
  ASSERT_TRUE(cut.ok()) << cut.status().ToString();
  EXPECT_EQ(cut->inputs.size(), 6u);
  EXPECT_TRUE(cut->Has({0, 7, 40}));
  EXPECT_FALSE(cut->Has({0, 7, 41}));
  EXPECT_TRUE(cut->Has({0, 6, 1000}));  // a line that was fenced
  EXPECT_FALSE(cut->Has({0, 8, 1}));    // a later one
  EXPECT_TRUE(cut->Has({2, 5, 99}));
  EXPECT_FALSE(cut->Has({2, 5, 100}));
  EXPECT_FALSE(cut->Has({2, 7, 1}));   // worker 2 has been restarted since
  EXPECT_TRUE(cut->Has({3, 6, 500}));  // no member any more: it gave all it had
  EXPECT_FALSE(cut->Has({3, 8, 1}));   // not yet one
}

TEST(SnapshotCut, IsNotQuietInASwitch) {
  Inputs inputs = Quiet();
  inputs[1][1].metadata = Metadata(1, 7, 11);  // no transaction does that: two fetches in one
  EXPECT_EQ(MakeCut(7, true, inputs).status().kind(), ErrorKind::kConflict);
  inputs = Quiet();
  inputs[1] = {{{"in", 1}, 10, Metadata(0, 7, 40), -1, -1}};  // its former owner's
  EXPECT_EQ(MakeCut(7, true, inputs).status().kind(), ErrorKind::kConflict);
  inputs = Quiet();
  inputs[2][0].metadata = checkpoint::ReleaseMetadata(inputs[2][0].metadata, 7);
  EXPECT_EQ(MakeCut(7, true, inputs).status().kind(), ErrorKind::kConflict);
  inputs[2][1].metadata = inputs[2][0].metadata;  // it gave all it had
  EXPECT_EQ(MakeCut(7, true, inputs).status().kind(), ErrorKind::kConflict);
  inputs = Quiet();
  inputs[0][0].offset = -1;
  EXPECT_EQ(MakeCut(7, true, inputs).status().kind(), ErrorKind::kConflict);
}

TEST(SnapshotCut, RefusesWhatItCannotTell) {
  Inputs inputs = Quiet();
  inputs.emplace_back();
  EXPECT_EQ(MakeCut(7, true, inputs).status().kind(), ErrorKind::kInvalidArgument);
  EXPECT_TRUE(MakeCut(7, false, inputs).ok());
  inputs = Quiet();
  inputs[0][0].metadata = "somebody's";
  EXPECT_EQ(MakeCut(7, true, inputs).status().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace sj::worker::runtime
