// SPDX-License-Identifier: Apache-2.0
// What we rely on from an API server. Every case runs against FakeKube and, with SJ_TEST_KUBECONFIG
// set, against the real server named there (it makes its own CRD and namespace and removes them).
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <thread>

#include "api/base/hash.h"
#include "operator/kube/config.h"
#include "operator/kube/http_kube_client.h"
#include "operator/kube/testing/fake_kube.h"

namespace sj::op::kube {
namespace {

using base::ErrorKind;

// A resource with spec, status subresource and generation that no other controller touches.
constexpr Resource kThings{"contract.streamjob.io", "v1", "things", "Thing"};
constexpr Resource kCrds{"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                         "CustomResourceDefinition", false};

Json ThingCrd() {
  const Json any = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
  const Json schema = {
      {"openAPIV3Schema", {{"type", "object"}, {"properties", {{"spec", any}, {"status", any}}}}}};
  const Json version = {{"name", "v1"},
                        {"served", true},
                        {"storage", true},
                        {"schema", schema},
                        {"subresources", {{"status", Json::object()}}}};
  return {{"apiVersion", ApiVersion(kCrds)},
          {"kind", kCrds.kind},
          {"metadata", {{"name", "things.contract.streamjob.io"}}},
          {"spec",
           {{"group", kThings.group},
            {"scope", "Namespaced"},
            {"names", {{"plural", "things"}, {"singular", "thing"}, {"kind", "Thing"}}},
            {"versions", Json::array({version})}}}};
}

class Backend {
 public:
  virtual ~Backend() = default;
  virtual KubeClient& client() = 0;
};

class FakeBackend final : public Backend {
 public:
  KubeClient& client() override { return fake_; }

 private:
  base::ManualClock clock_;
  testing::FakeKube fake_{clock_};
};

class RealBackend final : public Backend {
 public:
  explicit RealBackend(const char* kubeconfig) {
    auto config = LoadKubeconfig(kubeconfig);
    EXPECT_TRUE(config.ok()) << config.status().ToString();
    files_ = std::move(config->files);
    auto http = base::MakeHttpClient(config->http);
    EXPECT_TRUE(http.ok()) << http.status().ToString();
    client_ = std::make_unique<HttpKubeClient>(*std::move(http), HttpKubeOptions{},
                                               base::RealClock(), nullptr);
  }
  KubeClient& client() override { return *client_; }

 private:
  std::unique_ptr<PrivateFiles> files_;
  std::unique_ptr<HttpKubeClient> client_;
};

class ContractTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "fake") {
      backend_ = std::make_unique<FakeBackend>();
      return;
    }
    const char* kubeconfig = std::getenv("SJ_TEST_KUBECONFIG");
    if (kubeconfig == nullptr) {
      GTEST_SKIP() << "SJ_TEST_KUBECONFIG is not set";
    }
    backend_ = std::make_unique<RealBackend>(kubeconfig);
    ns_ = "contract-" + base::RandomHex(4);
    const Json space = {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns_}}}};
    ASSERT_TRUE(client().Create(kNamespaces, space).ok());
    ASSERT_TRUE(client().Apply(kCrds, ThingCrd()).ok());
    // A new CRD is served after a moment.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    ListOptions options;
    options.ns = ns_;
    while (!client().List(kThings, options).ok() && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
  }

  void TearDown() override {
    if (GetParam() == "real" && backend_ != nullptr) {
      EXPECT_TRUE(client().Delete(kNamespaces, {"", ns_}, {}).ok());
    }
  }

  KubeClient& client() { return backend_->client(); }

  Json Thing(const std::string& name, const Json& spec) const {
    return {{"apiVersion", ApiVersion(kThings)},
            {"kind", "Thing"},
            {"metadata", {{"name", name}, {"namespace", ns_}}},
            {"spec", spec}};
  }
  ObjectKey Key(const std::string& name) const { return {ns_, name}; }

  Json MustCreate(const std::string& name, const Json& spec) {
    auto created = client().Create(kThings, Thing(name, spec));
    EXPECT_TRUE(created.ok()) << created.status().ToString();
    return created.ok() ? *created : Json::object();
  }

  std::unique_ptr<Backend> backend_;
  std::string ns_ = "contract";
};

TEST_P(ContractTest, CreateFillsMetadataAndRefusesASecond) {
  const Json created = MustCreate("a", {{"x", 1}});
  EXPECT_FALSE(UidOf(created).empty());
  EXPECT_GT(VersionNumber(ResourceVersionOf(created)), 0u);
  EXPECT_EQ(GenerationOf(created), 1);
  EXPECT_FALSE(created["metadata"].contains("managedFields"));
  EXPECT_EQ(client().Create(kThings, Thing("a", {})).status().kind(), ErrorKind::kConflict);
}

TEST_P(ContractTest, GetOfWhatIsMissing) {
  EXPECT_EQ(client().Get(kThings, Key("no")).status().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(client().Delete(kThings, Key("no"), {}).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(client().MergePatch(kThings, Key("no"), {{"spec", {{"x", 1}}}}).status().kind(),
            ErrorKind::kNotFound);
  EXPECT_EQ(client().ReplaceStatus(kThings, Key("no"), {{"x", 1}}, {}).status().kind(),
            ErrorKind::kNotFound);
}

TEST_P(ContractTest, ReplaceIsLockedByResourceVersion) {
  Json first = MustCreate("a", {{"x", 1}});
  Json second = first;
  second["spec"]["x"] = 2;
  auto stored = client().Replace(kThings, second);
  ASSERT_TRUE(stored.ok()) << stored.status().ToString();
  EXPECT_EQ(GenerationOf(*stored), 2);
  first["spec"]["x"] = 3;
  EXPECT_EQ(client().Replace(kThings, first).status().kind(), ErrorKind::kConflict);
}

TEST_P(ContractTest, StatusIsApartFromSpec) {
  const Json created = MustCreate("a", {{"x", 1}});
  auto status = client().ReplaceStatus(kThings, Key("a"), {{"phase", "New"}, {"n", 1}},
                                       {.resource_version = ResourceVersionOf(created)});
  ASSERT_TRUE(status.ok()) << status.status().ToString();
  EXPECT_EQ((*status)["status"]["phase"], "New");
  EXPECT_EQ(GenerationOf(*status), 1);
  // A main write leaves the status alone, whatever it carries.
  Json changed = *status;
  changed["spec"]["x"] = 2;
  changed["status"] = {{"phase", "Forged"}};
  auto stored = client().Replace(kThings, changed);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ((*stored)["status"]["phase"], "New");
  // Replacing the status drops what is no longer in it.
  status = client().ReplaceStatus(kThings, Key("a"), {{"phase", "Old"}}, {});
  ASSERT_TRUE(status.ok());
  EXPECT_EQ((*status)["status"], Json({{"phase", "Old"}}));
  EXPECT_EQ((*status)["spec"]["x"], 2);
}

TEST_P(ContractTest, StatusIsLockedByResourceVersion) {
  const Json created = MustCreate("a", {{"x", 1}});
  ASSERT_TRUE(client().MergePatch(kThings, Key("a"), {{"spec", {{"x", 2}}}}).ok());
  auto stale = client().ReplaceStatus(kThings, Key("a"), {{"phase", "New"}},
                                      {.resource_version = ResourceVersionOf(created)});
  EXPECT_EQ(stale.status().kind(), ErrorKind::kConflict);
}

TEST_P(ContractTest, AWriteThatChangesNothingMakesNoVersion) {
  const Json created = MustCreate("a", {{"x", 1}});
  auto again = client().MergePatch(kThings, Key("a"), {{"spec", {{"x", 1}}}});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(ResourceVersionOf(*again), ResourceVersionOf(created));
  auto first = client().ReplaceStatus(kThings, Key("a"), {{"n", 1}}, {});
  auto second = client().ReplaceStatus(kThings, Key("a"), {{"n", 1}}, {});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(ResourceVersionOf(*first), ResourceVersionOf(*second));
  auto applied = client().Apply(kThings, Thing("b", {{"x", 1}}));
  auto reapplied = client().Apply(kThings, Thing("b", {{"x", 1}}));
  ASSERT_TRUE(applied.ok() && reapplied.ok());
  EXPECT_EQ(ResourceVersionOf(*applied), ResourceVersionOf(*reapplied));
}

TEST_P(ContractTest, ApplyOwnsExactlyItsFields) {
  ASSERT_TRUE(client().Apply(kThings, Thing("a", {{"x", 1}, {"y", {{"z", 2}}}})).ok());
  // Somebody else adds a field and changes one of ours.
  ASSERT_TRUE(client().MergePatch(kThings, Key("a"), {{"spec", {{"theirs", 7}, {"x", 5}}}}).ok());
  auto applied = client().Apply(kThings, Thing("a", {{"x", 1}}));
  ASSERT_TRUE(applied.ok()) << applied.status().ToString();
  EXPECT_EQ((*applied)["spec"]["x"], 1);
  EXPECT_EQ((*applied)["spec"]["theirs"], 7);
  EXPECT_FALSE((*applied)["spec"].contains("y")) << applied->dump();
}

TEST_P(ContractTest, ApplyHonoursPreconditions) {
  auto applied = client().Apply(kThings, Thing("a", {{"x", 1}}));
  ASSERT_TRUE(applied.ok());
  Json other = Thing("a", {{"x", 2}});
  other["metadata"]["uid"] = "11111111-2222-4333-8444-555555555555";
  EXPECT_EQ(client().Apply(kThings, other).status().kind(), ErrorKind::kConflict);
  Json stale = Thing("a", {{"x", 2}});
  stale["metadata"]["resourceVersion"] = "1";
  EXPECT_EQ(client().Apply(kThings, stale).status().kind(), ErrorKind::kConflict);
  Json missing = Thing("gone", {{"x", 2}});
  missing["metadata"]["uid"] = UidOf(*applied);
  EXPECT_EQ(client().Apply(kThings, missing).status().kind(), ErrorKind::kConflict);
}

TEST_P(ContractTest, MergePatchRemovesAndLocks) {
  const Json created = MustCreate("a", {{"x", 1}, {"y", 2}});
  auto patched = client().MergePatch(kThings, Key("a"), {{"spec", {{"y", nullptr}}}});
  ASSERT_TRUE(patched.ok());
  EXPECT_EQ((*patched)["spec"], Json({{"x", 1}}));
  const Json stale = {{"metadata", {{"resourceVersion", ResourceVersionOf(created)}}},
                      {"spec", {{"x", 9}}}};
  EXPECT_EQ(client().MergePatch(kThings, Key("a"), stale).status().kind(), ErrorKind::kConflict);
}

TEST_P(ContractTest, DeleteHonoursPreconditions) {
  const Json created = MustCreate("a", {{"x", 1}});
  EXPECT_EQ(
      client().Delete(kThings, Key("a"), {.uid = "11111111-2222-4333-8444-555555555555"}).kind(),
      ErrorKind::kConflict);
  ASSERT_TRUE(client().MergePatch(kThings, Key("a"), {{"spec", {{"x", 2}}}}).ok());
  EXPECT_EQ(client()
                .Delete(kThings, Key("a"),
                        {.uid = UidOf(created), .resource_version = ResourceVersionOf(created)})
                .kind(),
            ErrorKind::kConflict);
  EXPECT_TRUE(client().Delete(kThings, Key("a"), {.uid = UidOf(created)}).ok());
  EXPECT_EQ(client().Get(kThings, Key("a")).status().kind(), ErrorKind::kNotFound);
}

TEST_P(ContractTest, FinalizersHoldADeletion) {
  const std::string finalizer = "contract.streamjob.io/hold";
  auto held = SetFinalizer(client(), kThings, MustCreate("a", {{"x", 1}}), finalizer, true);
  ASSERT_TRUE(held.ok()) << held.status().ToString();
  EXPECT_TRUE(HasFinalizer(*held, finalizer));
  ASSERT_TRUE(client().Delete(kThings, Key("a"), {.uid = UidOf(*held)}).ok());
  auto deleting = client().Get(kThings, Key("a"));
  ASSERT_TRUE(deleting.ok());
  EXPECT_TRUE(IsDeleting(*deleting));
  EXPECT_EQ(GenerationOf(*deleting), 2);
  // No new finalizer on a deleting object; removing the last one ends it.
  auto refused = SetFinalizer(client(), kThings, *deleting, "contract.streamjob.io/new", true);
  EXPECT_EQ(refused.status().kind(), ErrorKind::kInvalidArgument);
  // The stale object is not changed.
  EXPECT_EQ(SetFinalizer(client(), kThings, *held, finalizer, false).status().kind(),
            ErrorKind::kConflict);
  ASSERT_TRUE(SetFinalizer(client(), kThings, *deleting, finalizer, false).ok());
  EXPECT_EQ(client().Get(kThings, Key("a")).status().kind(), ErrorKind::kNotFound);
}

TEST_P(ContractTest, TwoControllersAreRefused) {
  Json owner = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", "o"}, {"controller", true}};
  Json twin = owner;
  owner["uid"] = "11111111-2222-4333-8444-555555555555";
  twin["uid"] = "21111111-2222-4333-8444-555555555555";
  Json thing = Thing("a", {{"x", 1}});
  thing["metadata"]["ownerReferences"] = Json::array({owner, twin});
  EXPECT_EQ(client().Create(kThings, thing).status().kind(), ErrorKind::kInvalidArgument);
}

TEST_P(ContractTest, ListsInPagesAndByLabel) {
  for (int i = 0; i < 7; ++i) {
    Json thing = Thing("t" + std::to_string(i), {{"i", i}});
    thing["metadata"]["labels"] = {{"odd", i % 2 == 1 ? "yes" : "no"}};
    ASSERT_TRUE(client().Create(kThings, thing).ok());
  }
  ListOptions options;
  options.ns = ns_;
  options.page_items_max = 3;
  auto all = client().List(kThings, options);
  ASSERT_TRUE(all.ok()) << all.status().ToString();
  EXPECT_EQ(all->items.size(), 7u);
  EXPECT_EQ(all->items[0]["kind"], "Thing");
  options.label_selector = "odd=yes";
  int seen = 0;
  options.on_item = [&seen](const Json&) { ++seen; };
  auto odd = client().List(kThings, options);
  ASSERT_TRUE(odd.ok());
  EXPECT_EQ(seen, 3);
  EXPECT_TRUE(odd->items.empty());
}

TEST_P(ContractTest, WatchTellsChangesInOrder) {
  auto list = client().List(kThings, {.ns = ns_});
  ASSERT_TRUE(list.ok());
  const Json created = MustCreate("a", {{"x", 1}});
  ASSERT_TRUE(client().MergePatch(kThings, Key("a"), {{"spec", {{"x", 2}}}}).ok());
  ASSERT_TRUE(client().Delete(kThings, Key("a"), {}).ok());
  std::vector<WatchEvent> events;
  WatchOptions options;
  options.ns = ns_;
  options.resource_version = list->resource_version;
  options.timeout = std::chrono::seconds(20);
  auto end = client().Watch(
      kThings, options,
      [&events](WatchEvent event) {
        if (event.type != WatchEvent::Type::kBookmark) {
          events.push_back(std::move(event));
        }
        return events.size() < 3;
      },
      nullptr);
  ASSERT_TRUE(end.ok()) << end.status().ToString();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].type, WatchEvent::Type::kAdded);
  EXPECT_EQ(events[1].type, WatchEvent::Type::kModified);
  EXPECT_EQ(events[1].object["spec"]["x"], 2);
  EXPECT_EQ(events[2].type, WatchEvent::Type::kDeleted);
  EXPECT_EQ(UidOf(events[2].object), UidOf(created));
  EXPECT_GT(VersionNumber(ResourceVersionOf(events[2].object)),
            VersionNumber(ResourceVersionOf(events[1].object)));
}

TEST_P(ContractTest, StreamingListEndsWithAMarkOrIsUnsupported) {
  MustCreate("a", {{"x", 1}});
  MustCreate("b", {{"x", 1}});
  WatchOptions options;
  options.ns = ns_;
  options.send_initial_events = true;
  options.timeout = std::chrono::seconds(20);
  int added = 0;
  bool marked = false;
  auto end = client().Watch(
      kThings, options,
      [&](WatchEvent event) {
        added += event.type == WatchEvent::Type::kAdded ? 1 : 0;
        marked = marked || event.initial_end;
        return !marked;
      },
      nullptr);
  ASSERT_TRUE(end.ok()) << end.status().ToString();
  if (*end == WatchEnd::kUnsupported) {
    EXPECT_EQ(GetParam(), "real");
    return;
  }
  EXPECT_EQ(added, 2);
  EXPECT_TRUE(marked);
}

TEST_P(ContractTest, UnknownTokensAreNotAuthenticated) {
  auto who = ReviewToken(client(), "not-a-token", "streamjob");
  ASSERT_TRUE(who.ok()) << who.status().ToString();
  EXPECT_FALSE(who->authenticated);
  EXPECT_FALSE(who->error.empty());
  EXPECT_EQ(who->error.find("not-a-token"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(ApiServer, ContractTest, ::testing::Values("fake", "real"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace sj::op::kube
