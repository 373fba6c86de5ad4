// SPDX-License-Identifier: Apache-2.0
// The footer's JSON, the object's end, commit metadata, object names and the merge plan.
#include "worker/checkpoint/footer.h"

#include <gtest/gtest.h>

#include <random>

#include "worker/checkpoint/chain.h"
#include "worker/checkpoint/object_name.h"

namespace sj::worker::checkpoint {
namespace {

Footer Sample() {
  Footer footer;
  footer.job_uid = "uid-1";
  footer.state_hash = "abc";
  footer.max_parallelism = 8;
  footer.shards = 4;
  footer.generation = 3;
  footer.ordinal = 1;
  footer.incarnation = "f00d";
  footer.epoch = 12;
  footer.sources[{"orders", 2}] = {17, -1, false, {types::kWatermarkMin, true}};
  footer.sources[{"orders", 3}] = {5, 5, true, {types::kWatermarkMax, false}};
  ShardState shard;
  shard.shard = 3;
  shard.edge_offsets = {{0, 0}, {4, INT64_MAX}};
  shard.senders[0]["w0-aa"] = {-5, false};
  shard.watermark_ms[0] = -5;
  OperatorState op;
  op.op = 7;
  op.expired_below = -100;
  op.groups_expired_below = {-100, INT64_MAX};
  op.chunks = {{"uid-1/g3/1/11-f00d", 10, 200, 3, "00ff", 44},
               {"uid-1/g2/0/9-aa-r2", 0, 100, 1, "11ff", INT64_MAX}};
  shard.operators.push_back(op);
  footer.shard_states.push_back(shard);
  return footer;
}

TEST(FooterTest, RoundTrips) {
  std::string json = EncodeFooter(Sample());
  EXPECT_EQ(json.find('\n'), std::string::npos);
  base::Result<Footer> back = DecodeFooter(json);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(EncodeFooter(*back), json);
  EXPECT_EQ(back->sources.at({"orders", 3}).end_offset, 5);
  EXPECT_TRUE(back->sources.at({"orders", 2}).time.idle);
  ASSERT_EQ(back->shard_states.size(), 1u);
  const OperatorState& op = back->shard_states[0].operators.at(0);
  EXPECT_EQ(op.chunks, Sample().shard_states[0].operators[0].chunks);
  EXPECT_EQ(op.groups_expired_below, (std::vector<int64_t>{-100, INT64_MAX}));
}

TEST(FooterTest, RefusesAnotherFormat) {
  Footer footer = Sample();
  footer.format = 2;
  EXPECT_EQ(DecodeFooter(EncodeFooter(footer)).status().kind(), base::ErrorKind::kInvalidArgument);
}

TEST(FooterTest, RefusesWrongContents) {
  const std::string good = EncodeFooter(Sample());
  for (auto [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"shard\":3", "\"shard\":4"},
           {"\"shards\":4", "\"shards\":3"},
           {"\"epoch\":12", "\"epoch\":-1"},
           {"\"epoch\":12", "\"epoch\":1.5"},
           {"\"epoch\":12", "\"epoch\":18446744073709551615"},
           {"\"epoch\":12", "\"epochs\":12"},
           {"uid-1/g2/0/9-aa-r2", "uid-1/g2/0/../x"},
           {"[1,10,200", "[2,10,200"},
           {"[1,10,200", "[1,10,0"},
           {"[1,10,200", "[1,-10,200"},
           {"\"op\":7", "\"op\":70000"},
           {"\"sources\":[", "\"sources\":[7,"},
           {"-100,9223372036854775807]", "-100]"}}) {
    std::string bad = good;
    size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from << " in " << good;
    bad.replace(at, from.size(), to);
    EXPECT_EQ(DecodeFooter(bad).status().kind(), base::ErrorKind::kCorrupt) << to;
  }
}

TEST(FooterTest, EveryCutIsRefused) {
  const std::string good = EncodeFooter(Sample());
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_FALSE(DecodeFooter(good.substr(0, n)).ok()) << n;
  }
}

TEST(FooterTest, FindsTheFooterAtTheEnd) {
  std::string json = EncodeFooter(Sample());
  std::string object = "chunks" + SealFooter(json);
  size_t wanted = 1;
  EXPECT_EQ(FindFooter(object, &wanted).value(), json);
  EXPECT_EQ(wanted, 0u);
  EXPECT_TRUE(FindFooter(object.substr(object.size() - 20), &wanted).value().empty());
  EXPECT_EQ(wanted, json.size() + 8);
  for (std::string bad : {std::string(), std::string("SJC1"), object.substr(0, object.size() - 1),
                          std::string("\0\0\0\0SJC1", 8), std::string("\xff\xff\xff\x7fSJC1", 8)}) {
    EXPECT_EQ(FindFooter(bad, &wanted).status().kind(), base::ErrorKind::kCorrupt) << bad;
  }
}

TEST(CommitMetadataTest, RoundTripsAndRefuses) {
  std::string object = "uid-1/g3/1/11-f00d";
  std::string metadata = CommitMetadata(object, "{}");
  EXPECT_EQ(metadata, "sj1:uid-1/g3/1/11-f00d:44136fa355b3678a");
  base::Result<MetadataRef> ref = ParseCommitMetadata(metadata);
  ASSERT_TRUE(ref.ok());
  EXPECT_EQ(ref->object, object);
  EXPECT_EQ(ref->footer_hash, "44136fa355b3678a");
  for (std::string bad :
       {"", "sj1:", "sj1::", "sj2:uid-1/g3/1/11-f00d:44136fa355b3678a",
        "sj1:uid-1/g3/1/11-f00d:44136fa355b3678", "sj1:uid-1/g3/1/11-f00d:44136fa355b3678A",
        "sj1:uid-1/g3/../11-f00d:44136fa355b3678a", "sj1:44136fa355b3678a",
        "sj1:uid-1/g3/1/11-f00d"}) {
    EXPECT_EQ(ParseCommitMetadata(bad).status().kind(), base::ErrorKind::kCorrupt) << bad;
  }
  EXPECT_FALSE(ParseCommitMetadata(metadata + std::string(200, '0')).ok());
}

TEST(CommitMetadataTest, ReleaseMarkRoundTripsAndRefuses) {
  std::string plain = CommitMetadata("uid-1/g3/1/11-f00d", "{}");
  EXPECT_EQ(ParseCommitMetadata(plain)->released_to, 0);
  std::string metadata = ReleaseMetadata(plain, 12);
  EXPECT_EQ(metadata, "sj2:uid-1/g3/1/11-f00d:44136fa355b3678a:12");
  base::Result<MetadataRef> ref = ParseCommitMetadata(metadata);
  ASSERT_TRUE(ref.ok());
  EXPECT_EQ(ref->object, "uid-1/g3/1/11-f00d");
  EXPECT_EQ(ref->footer_hash, "44136fa355b3678a");
  EXPECT_EQ(ref->released_to, 12);
  for (std::string bad :
       {"sj2:", "sj2::", "sj2:::", "sj2:uid-1/g3/1/11-f00d:44136fa355b3678a",
        "sj2:uid-1/g3/1/11-f00d:44136fa355b3678a:", "sj2:uid-1/g3/1/11-f00d:44136fa355b3678a:0",
        "sj2:uid-1/g3/1/11-f00d:44136fa355b3678a:-1", "sj2:uid-1/g3/1/11-f00d:44136fa355b3678a:01",
        "sj1:uid-1/g3/1/11-f00d:44136fa355b3678a:12",
        "sj2:uid-1/g3/1/11-f00d:44136fa355b3678a:12x"}) {
    EXPECT_EQ(ParseCommitMetadata(bad).status().kind(), base::ErrorKind::kCorrupt) << bad;
  }
}

TEST(ObjectNameTest, RoundTripsAndRefuses) {
  ObjectName name;
  for (std::string text : {"u/g0/0/1-a", "0b5e-uid/g12/34/56-ab12", "u/g1/0/7-x-r3"}) {
    ASSERT_TRUE(ParseObjectName(text, &name)) << text;
    EXPECT_EQ(FormatObjectName(name), text);
  }
  EXPECT_EQ(name.retry, 3);
  for (std::string text : {"", "u", "u/g1/0", "u/1/0/7-x", "u/g1/0/7", "u/g1/0/7-", "u/g01/0/7-x",
                           "u/g1/-1/7-x", "u/g1/0/7-x-r0", "u/g1/0/7-x-3", "u/g1/0/7-x/y",
                           "/g1/0/7-x", "u/g1/0/+7-x", "u.u/g1/0/7-x", "u/g1/0/7-x-r1-r2"}) {
    EXPECT_FALSE(ParseObjectName(text, &name)) << text;
  }
}

TEST(PlanMergeTest, MergesFourOfATier) {
  constexpr uint64_t kB = 60u << 10;
  EXPECT_EQ(PlanMerge({}, 12), 0u);
  EXPECT_EQ(PlanMerge({kB, kB, kB}, 12), 3u);
  EXPECT_EQ(PlanMerge({kB, kB, kB, kB}, 12), 0u);
  EXPECT_EQ(PlanMerge({100 * kB, kB, kB, kB, kB}, 12), 1u);
  EXPECT_EQ(PlanMerge({100 * kB, 100 * kB, kB, kB, kB}, 12), 5u);
  // The merged chunk completes the next tier, which is merged in the same go.
  EXPECT_EQ(PlanMerge({4 * kB, 4 * kB, 4 * kB, kB, kB, kB, kB}, 12), 0u);
  EXPECT_EQ(PlanMerge({4096 * kB, 1024 * kB, 256 * kB, 64 * kB}, 3), 0u);
  EXPECT_EQ(PlanMerge({4096 * kB, 1024 * kB, 256 * kB}, 3), 3u);
}

// Growth with the number of epochs: chains stay short, and every byte is rewritten a few times.
TEST(PlanMergeTest, KeepsChainsShortCheaply) {
  std::mt19937 random(3);
  std::vector<uint64_t> chain;
  uint64_t written = 0;
  uint64_t rewritten = 0;
  for (int epoch = 0; epoch < 10'000; ++epoch) {
    chain.push_back(1000 + random() % 200'000);
    written += chain.back();
    size_t from = PlanMerge(chain, 24);
    uint64_t merged = 0;
    for (size_t i = from; i < chain.size(); ++i) {
      merged += chain[i];
    }
    if (from < chain.size()) {
      chain.resize(from);
      chain.push_back(merged);
      rewritten += merged;
    }
    EXPECT_LE(chain.size(), 24u);
  }
  EXPECT_LT(rewritten, 8 * written);
}

TEST(ChainTest, ExpiryHoldsByKeyGroup) {
  Chain chain(4);
  EXPECT_EQ(chain.ExpiredBelow(), INT64_MIN);
  chain.Expire({8, 12}, {0, 10}, 50);
  chain.Expire({8, 12}, {10, 32}, 40);
  chain.Expire({8, 12}, {0, 32}, 30);
  EXPECT_EQ(chain.expired_below, (std::vector<int64_t>{50, 50, 40, 40}));
  ChunkRef old;
  old.ns_max = 39;
  ChunkRef young;
  young.ns_max = 40;
  chain.chunks = {old, young};
  chain.DropDead();
  EXPECT_EQ(chain.chunks.size(), 1u);
  Chain back = Chain::From(chain.ToState(9), 4);
  EXPECT_EQ(back.expired_below, chain.expired_below);
  EXPECT_EQ(back.chunks, chain.chunks);
}

}  // namespace
}  // namespace sj::worker::checkpoint
