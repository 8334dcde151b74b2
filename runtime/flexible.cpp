#include "runtime/flexible.h"

#include <algorithm>

namespace lapis {

bool fits(const Shape& shape, const Shape& wanted) {
  return std::ranges::equal(shape, wanted, [](int64_t d, int64_t w) { return d == w || (w == kFree && d >= 0); });
}

Result<FlexibleSession> FlexibleSession::make(std::shared_ptr<ExecutableFamily> family, const SessionOptions& options) {
  LAPIS_TRY(SessionOptions shared, with_threads(options));
  shared.arena = std::make_shared<Arena>();
  return FlexibleSession(std::move(family), std::move(shared));
}

Result<Session*> FlexibleSession::session(const std::vector<Shape>& shapes) {
  const auto known = std::ranges::find(sessions_, shapes, &Known::shapes);
  if (known != sessions_.end()) {
    sessions_.splice(sessions_.begin(), sessions_, known);
    return &sessions_.front().session;
  }
  LAPIS_TRY(const Executable executable, family_->at(shapes));
  LAPIS_TRY(Session made, executable.session(options_));
  sessions_.push_front({shapes, std::move(made)});
  if (sessions_.size() > kMostSessions) sessions_.pop_back();
  return &sessions_.front().session;
}

Result<std::vector<Tensor>> FlexibleSession::run(const std::vector<Tensor>& inputs) {
  const Occupancy::Stay stay(*occupancy_);
  if (!stay) return session_is_running();
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  LAPIS_TRY(Session* const session, this->session(shapes));
  return session->run(inputs);
}

}  // namespace lapis
