// SPDX-License-Identifier: Apache-2.0
// The life of one connection: handshake, read, handle, write, and again; then discard and close.
#include "api/base/http_session.h"

#include <fmt/format.h>

#include <array>

#include "api/base/log.h"

namespace sj::base {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kReadBytes = 16u << 10;
constexpr std::chrono::milliseconds kDiscardTime{1'000};

std::string_view Phrase(int status) {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

ServerResponse Plain(int status, std::string text) {
  ServerResponse response;
  response.status = status;
  response.body = std::move(text) + "\n";
  return response;
}

void Deliver(const std::weak_ptr<HttpSession>& to, const Responder::State* from,
             ServerResponse response) {
  if (auto session = to.lock()) {
    HttpLoop& loop = *session->loop();
    loop.Post([session, from, response = std::move(response)]() mutable {
      session->OnAnswer(from, std::move(response));
    });
  }
}

}  // namespace

Responder::State::~State() {
  if (!answered && !gone) {
    Deliver(session, this, Plain(500, "the request was dropped"));
  }
}

Responder::Responder(std::shared_ptr<State> state) : state_(std::move(state)) {
}

void Responder::Answer(ServerResponse response) const {
  if (!state_->answered.exchange(true)) {
    Deliver(state_->session, state_.get(), std::move(response));
  }
}

bool Responder::gone() const {
  return state_->gone;
}

void HttpSession::Start() {
  loop_->sessions.insert(shared_from_this());
  if (loop_->stopping) {
    Close();
    return;
  }
  Arm(shared_->options.header_timeout);
  Pump();
}

void HttpSession::OnAnswer(const Responder::State* from, ServerResponse response) {
  const auto current = responder_.lock();
  if (state_ == State::kHandling && (current == nullptr || current.get() == from)) {
    Answer(std::move(response), keep_alive_);
    Pump();
  }
}

void HttpSession::OnStop() {
  if (state_ == State::kHandling) {
    Answer(Plain(503, "the server is stopping"), false);
    Pump();
  } else if (state_ == State::kWriting) {
    close_after_write_ = true;
  } else {
    Close();
  }
}

void HttpSession::Pump() {
  bool go_on = true;
  while (go_on && state_ != State::kClosed) {
    switch (state_) {
      case State::kHandshake:
        go_on = Step(channel_.Handshake());
        if (go_on && state_ == State::kHandshake) {
          state_ = State::kReading;
        }
        break;
      case State::kReading:
        go_on = ParseBuffered() || ReadSome();
        break;
      case State::kHandling:
        // Only to notice a peer that leaves; a pipelined request may wait in the buffer.
        go_on = in_.size() <= kReadBytes && ReadSome();
        break;
      case State::kWriting:
        go_on = WriteSome();
        break;
      case State::kDiscarding:
        go_on = Step(channel_.Discard());
        break;
      case State::kClosed:
        break;
    }
  }
}

bool HttpSession::Step(IoResult result) {
  switch (result.step) {
    case IoStep::kDone:
      return true;
    case IoStep::kWantRead:
      Wait(tcp::socket::wait_read, read_waiting_);
      return false;
    case IoStep::kWantWrite:
      Wait(tcp::socket::wait_write, write_waiting_);
      return false;
    case IoStep::kClosed:
      Close();
      return false;
  }
  return false;
}

void HttpSession::Wait(tcp::socket::wait_type what, bool& waiting) {
  if (waiting) {
    return;
  }
  waiting = true;
  socket_.async_wait(what, [self = shared_from_this(), &waiting](error_code error) {
    waiting = false;
    if (error) {
      self->Close();
    } else {
      self->Pump();
    }
  });
}

void HttpSession::Arm(std::chrono::milliseconds after) {
  timer_.expires_after(after);
  timer_.async_wait([self = shared_from_this(), number = ++timer_number_](error_code error) {
    if (!error && number == self->timer_number_) {
      self->OnTimeout();
    }
  });
}

void HttpSession::OnTimeout() {
  if (state_ == State::kHandling) {
    LogWarn("request not answered in time", {{"path", path_}});
    Answer(Plain(503, "no answer in time"), false);
    Pump();
  } else {
    Close();
  }
}

bool HttpSession::ReadSome() {
  std::array<char, kReadBytes> chunk;
  const IoResult result = channel_.Read(chunk.data(), chunk.size());
  if (!Step(result)) {
    return false;
  }
  in_.append(chunk.data(), result.bytes);
  return true;
}

bool HttpSession::ParseBuffered() {
  if (in_.empty()) {
    return false;
  }
  if (!parser_) {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<uint32_t>(shared_->options.header_bytes_max));
    parser_->body_limit(shared_->options.body_bytes_max);
    Arm(shared_->options.header_timeout);
  }
  const bool had_header = parser_->is_header_done();
  error_code error;
  const size_t used = parser_->put(asio::buffer(in_), error);
  in_.erase(0, used);
  if (error == http::error::need_more) {
    error = {};
  }
  if (error) {
    Refuse(error);
    return true;
  }
  if (parser_->is_done()) {
    Dispatch();
    return true;
  }
  if (!had_header && parser_->is_header_done()) {
    Arm(shared_->options.header_timeout);
  }
  return false;
}

void HttpSession::Refuse(error_code error) {
  path_.clear();
  head_only_ = false;
  if (error == http::error::body_limit) {
    Answer(Plain(413, "the body is too large"), false);
  } else if (error == http::error::header_limit) {
    Answer(Plain(431, "the header is too large"), false);
  } else {
    Answer(Plain(400, "not an HTTP request"), false);
  }
}

void HttpSession::Dispatch() {
  auto message = parser_->release();
  parser_.reset();
  if (in_.empty()) {
    std::string().swap(in_);  // a long poll may stay for long
  }
  keep_alive_ = message.keep_alive() && !loop_->stopping;
  head_only_ = message.method() == http::verb::head;
  ServerRequest request;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  const size_t mark = std::min(target.find('?'), target.size());
  request.path = target.substr(0, mark);
  request.query = mark < target.size() ? target.substr(mark + 1) : "";
  for (const auto& field : message) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  path_ = request.path;
  if (!request.path.starts_with('/')) {
    Answer(Plain(400, "the target must be a path"), false);
    return;
  }
  state_ = State::kHandling;
  Arm(shared_->options.answer_timeout);
  // Owners: the handler's copies; see Responder::State.
  auto responder = std::make_shared<Responder::State>();
  responder->session = weak_from_this();
  responder_ = responder;
  shared_->handler(request, Responder(std::move(responder)));
}

void HttpSession::Answer(ServerResponse response, bool keep_alive) {
  MarkGone();
  out_ = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}",
                     response.status, Phrase(response.status), response.content_type,
                     response.body.size(), keep_alive ? "" : "Connection: close\r\n");
  for (const auto& [name, value] : response.headers) {
    out_ += fmt::format("{}: {}\r\n", name, value);
  }
  out_ += "\r\n";
  if (!head_only_) {
    out_ += response.body;
  }
  written_ = 0;
  close_after_write_ = !keep_alive;
  state_ = State::kWriting;
  Arm(shared_->options.answer_timeout);
}

bool HttpSession::WriteSome() {
  const IoResult result = channel_.Write(std::string_view(out_).substr(written_));
  if (!Step(result)) {
    return false;
  }
  written_ += result.bytes;
  if (written_ < out_.size()) {
    return true;
  }
  std::string().swap(out_);
  if (close_after_write_) {
    // A close with unread input would reset the connection and lose the answer.
    channel_.Shutdown();
    state_ = State::kDiscarding;
    Arm(kDiscardTime);
    return true;
  }
  if (in_.empty()) {
    std::string().swap(in_);
  }
  state_ = State::kReading;
  Arm(shared_->options.idle_timeout);
  return true;
}

void HttpSession::MarkGone() {
  if (const auto responder = responder_.lock()) {
    responder->gone = true;
  }
  responder_.reset();
}

void HttpSession::Close() {
  if (state_ == State::kClosed) {
    return;
  }
  state_ = State::kClosed;
  MarkGone();
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  loop_->sessions.erase(shared_from_this());
  if (loop_->stopping && loop_->sessions.empty()) {
    loop_->stop_timer.cancel();
  }
}

}  // namespace sj::base
