// SPDX-License-Identifier: Apache-2.0
// Frames are {"type": ..., "object": ...}. An ERROR frame inside a 200 stream carries a Status
// object: code 410 there means the same as an HTTP 410.
#include "operator/kube/watch_stream.h"

#include <fmt/core.h>

#include "operator/kube/http_kube_client.h"

namespace sj::op::kube {
namespace {

constexpr size_t kFrameBytesMax = 16u << 20;

std::optional<WatchEvent::Type> TypeOf(const std::string& name) {
  if (name == "ADDED") {
    return WatchEvent::Type::kAdded;
  }
  if (name == "MODIFIED") {
    return WatchEvent::Type::kModified;
  }
  if (name == "DELETED") {
    return WatchEvent::Type::kDeleted;
  }
  if (name == "BOOKMARK") {
    return WatchEvent::Type::kBookmark;
  }
  return std::nullopt;
}

}  // namespace

std::string WatchQuery(const WatchOptions& options) {
  std::string query = fmt::format("?watch=true&allowWatchBookmarks=true&timeoutSeconds={}",
                                  options.timeout.count());
  if (!options.label_selector.empty()) {
    query += "&labelSelector=" + base::UrlEncode(options.label_selector);
  }
  if (options.send_initial_events) {
    query += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  }
  if (!options.resource_version.empty()) {
    query += "&resourceVersion=" + base::UrlEncode(options.resource_version);
  }
  return query;
}

WatchStream::WatchStream(const Resource& resource, bool initial_events,
                         const std::function<bool(WatchEvent)>& on_event)
    : resource_(resource), on_event_(on_event), initial_events_(initial_events) {
}

Result<WatchEnd> WatchStream::Refusal(int code, std::string_view body) const {
  if (code == 410) {
    return WatchEnd::kExpired;
  }
  Status status = StatusOfAnswer(fmt::format("watch {}", resource_.plural), code, body);
  // A server whose etcd cannot say how far a watch is refuses a streaming list by an internal
  // error; one that does not know the parameter calls it invalid.
  const bool names_feature = status.message().find("RequestWatchProgress") != std::string::npos ||
                             status.message().find("sendInitialEvents") != std::string::npos;
  if (initial_events_ && (names_feature || code == 400 || code == 422)) {
    return WatchEnd::kUnsupported;
  }
  return status;
}

Result<WatchEnd> WatchStream::OnRefused(int code, std::string_view body) {
  return Refusal(code, body);
}

bool WatchStream::OnLine(std::string_view line) {
  if (line.empty()) {
    return true;
  }
  auto frame = base::ParseJson(line, {.bytes_max = kFrameBytesMax});
  const Json* type = frame.ok() ? FindPath(*frame, {"type"}) : nullptr;
  const Json* object = frame.ok() ? FindPath(*frame, {"object"}) : nullptr;
  if (type == nullptr || !type->is_string() || object == nullptr || !object->is_object()) {
    end_ = base::Unavailable(fmt::format("watch {}: broken frame", resource_.plural));
    return false;
  }
  if (*type == "ERROR") {
    const Json* code = FindPath(*object, {"code"});
    const int number = code != nullptr && code->is_number_integer() ? code->get<int>() : 500;
    end_ = Refusal(number, base::DumpJson(*object));
    return false;
  }
  const auto known = TypeOf(type->get_ref<const std::string&>());
  if (!known) {
    return true;
  }
  WatchEvent event;
  event.type = *known;
  event.object = std::move((*frame)["object"]);
  Json& object_meta = event.object["metadata"];
  if (!object_meta.is_object()) {
    end_ = base::Unavailable(fmt::format("watch {}: broken frame", resource_.plural));
    return false;
  }
  object_meta.erase("managedFields");
  const Json* mark = FindPath(object_meta, {"annotations", "k8s.io/initial-events-end"});
  event.initial_end = event.type == WatchEvent::Type::kBookmark && mark != nullptr;
  if (event.initial_end) {
    initial_events_ = false;
  }
  if (!on_event_(std::move(event))) {
    end_ = WatchEnd::kClosed;
    return false;
  }
  return true;
}

Result<WatchEnd> WatchStream::Result() const {
  return end_ ? *end_ : base::Result<WatchEnd>(WatchEnd::kClosed);
}

}  // namespace sj::op::kube
